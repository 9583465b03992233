#!/bin/sh
# Installs Kedge from this archive, upgrades it, rolls it back and removes it. Run as root:
#
#   ./setup.sh install           this version; run from a newer archive it upgrades
#   kedge-setup rollback         the version before
#   kedge-setup remove           programs and units; state in /var/lib/kedge and settings in /etc/kedge stay
#   kedge-setup remove --purge   those, too: nothing of Kedge is left
#   kedge-setup list             what is installed
#
# Versions lie side by side in /usr/lib/kedge/versions. `current` and `previous` there are links, and `current` is
# replaced in one step: whenever the power goes, one whole version is in force. Nothing is started that did not run.
#
# KEDGE_ROOT=/mnt installs below /mnt, for the image of a board.
set -eu

root=${KEDGE_ROOT:-}
home=$root/usr/lib/kedge
units=$root/usr/lib/systemd/system
services='edgecore cloudcore'

say() { echo "kedge-setup: $*"; }
fail() { say "$*" >&2; exit 1; }

# systemctl, where systemd runs on the machine that this is installed on.
has_systemd() { [ -z "$root" ] && [ -d /run/systemd/system ]; }
systemd() { if has_systemd; then systemctl "$@"; fi; }

version_of() { basename "$(readlink "$home/$1" 2>/dev/null || echo none)"; }

# link PATH TARGET: in one step, whatever was there.
link() {
  ln -sfn "$2" "$1.new"
  mv -T "$1.new" "$1"
}

# Those of our services that run now.
running() { for service in $services; do if has_systemd && systemctl -q is-active "$service"; then echo "$service"; fi; done; }

# use VERSION PREVIOUS: puts a version that is installed in force, and says which was before it. Services that ran when
# this script began are restarted; Type=notify waits until they are ready.
use() {
  if [ "$2" = none ]; then rm -f "$home/previous"; else link "$home/previous" "versions/$2"; fi
  link "$home/current" "versions/$1"
  # Units are copied: systemctl enable would follow a link to the version of today.
  mkdir -p "$units" "$root/usr/bin" "$root/usr/sbin"
  for service in $services; do
    cp "$home/versions/$1/systemd/$service.service" "$units/$service.service.new"
    mv "$units/$service.service.new" "$units/$service.service"
    link "$root/usr/bin/$service" "/usr/lib/kedge/current/bin/$service"
  done
  link "$root/usr/sbin/kedge-setup" "/usr/lib/kedge/current/setup.sh"
  sync
  systemd daemon-reload
  for service in $active; do
    systemctl restart "$service" || return 1
    say "$service runs as $1"
  done
}

install_() {
  from=$(cd "$(dirname "$0")" && pwd -P)
  version=$(cat "$from/VERSION")
  was=$(version_of current)
  previous=$(version_of previous)
  [ "$was" != "$version" ] || fail "$version is installed and in force"
  "$from/bin/edgecore" --version >/dev/null || fail "this archive does not run on this machine ($(uname -m)); nothing has been changed"
  mkdir -p "$home/versions"
  rm -rf "$home/versions/.new" "$home/versions/$version"
  cp -R "$from" "$home/versions/.new"
  chown -R 0:0 "$home/versions/.new"
  sync
  mv "$home/versions/.new" "$home/versions/$version"
  if ! use "$version" "$was"; then
    [ "$was" != none ] || fail "$version does not start; see journalctl -u edgecore -u cloudcore"
    use "$was" "$previous" || true
    rm -rf "$home/versions/$version"
    fail "$version does not start, $was is in force again; see journalctl -u edgecore -u cloudcore"
  fi
  for old in "$home"/versions/*; do
    case $(basename "$old") in "$version" | "$was") ;; *) rm -rf "$old" ;; esac
  done
  if [ "$was" = none ]; then
    say "$version is installed; next: edgecore join mqtts://HOST:8883 --token TOKEN, then systemctl enable --now edgecore"
  else
    say "upgraded from $was to $version; kedge-setup rollback undoes that"
  fi
}

rollback() {
  before=$(version_of previous)
  was=$(version_of current)
  [ -d "$home/versions/$before" ] || fail "there is no version before $was"
  use "$before" "$was" || fail "$before does not start; see journalctl -u edgecore -u cloudcore"
  say "back from $was to $before"
}

remove() {
  # Services first, while their units can still be found.
  for service in $services; do systemd disable --now --quiet "$service" 2>/dev/null || true; done
  for service in $services; do
    rm -f "$units/$service.service" "$root/usr/bin/$service"
  done
  rm -f "$root/usr/sbin/kedge-setup"
  rm -rf "$home"
  systemd daemon-reload
  if [ "${1:-}" = --purge ]; then
    for service in $services; do rm -rf "$root/etc/systemd/system/$service.service.d"; done
    rm -rf "$root/var/lib/kedge" "$root/var/lib/private/kedge" "$root/etc/kedge" "$root/etc/credstore.encrypted/kedge-secrets-key"
    say 'removed, with all state'
  else
    say 'removed; state in /var/lib/kedge and settings in /etc/kedge stay'
  fi
}

list() {
  for version in "$home"/versions/*; do
    [ -d "$version" ] || continue
    name=$(basename "$version")
    case $name in "$(version_of current)") echo "$name current" ;; "$(version_of previous)") echo "$name previous" ;; *) echo "$name" ;; esac
  done
}

[ "$(id -u)" -eq 0 ] || fail 'run this as root'
active=$(running)
case ${1:-} in
  install) install_ ;;
  rollback) rollback ;;
  remove) remove "${2:-}" ;;
  list) list ;;
  *) fail "found \"${1:-}\": give install, rollback, remove [--purge] or list" ;;
esac
