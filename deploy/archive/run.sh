#!/bin/sh
# Runs the program that this file is named after, with the Node.js of the archive, or else the machine's.
set -eu
home=$(dirname "$(dirname "$(readlink -f "$0")")")
node=$home/bin/node
[ -x "$node" ] || node=node
exec "$node" "$home/lib/$(basename "$0").js" "$@"
