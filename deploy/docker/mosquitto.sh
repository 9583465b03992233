#!/bin/sh
# mosquitto in the fleet of docker-compose.yaml, with the configuration of deploy/mosquitto. Another service writes what it
# reads: when the access list changes it reads it again; authorities and certificates it reads at its start alone, so it is
# started again when those change.
set -eu

files=/etc/mosquitto
pid=
ended() {
  [ -z "$pid" ] || kill "$pid" && wait "$pid" || :
  exit 0
}
trap ended TERM INT

sum() { cat "$@" | cksum; }
papers() { sum "$files/kedge-roots.pem" "$files/kedge-broker.pem"; }

until [ -e "$files/kedge.acl" ]; do sleep 0.2; done
while :; do
  shown=$(papers)
  list=$(sum "$files/kedge.acl")
  mosquitto -c /etc/kedge/mosquitto/kedge.conf &
  pid=$!
  while [ "$shown" = "$(papers)" ]; do
    sleep 0.5
    # When it ends by itself, so does this: whoever supervises starts both again.
    kill -0 "$pid" 2>/dev/null || { wait "$pid"; exit 1; }
    now=$(sum "$files/kedge.acl")
    [ "$now" = "$list" ] || kill -HUP "$pid"
    list=$now
  done
  kill "$pid"
  wait "$pid" || :
done
