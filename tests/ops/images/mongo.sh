#!/bin/sh
# Run mongod as its own user, like the image of MongoDB does.
set -e
chown -R mongodb /data/db
case "$1" in -*) set -- mongod "$@" ;; esac
exec setpriv --reuid=999 --regid=999 --clear-groups "$@"
