"""Pages of the policies: under which terms readers borrow."""
