"""Files of MARC records that librarians send: previewed, then imported in steps, with a report."""
