"""A package, because tests/gateway/web is one."""
