"""PAIA 1.4 and DAIA 1.0: patron accounts and availability for discovery systems and apps of others.

PAIA is specified at https://gbv.github.io/paia/, DAIA at https://gbv.github.io/daia/. As the pages
do, these doors use the gateway's routes in this process, with the caller's token.
"""
