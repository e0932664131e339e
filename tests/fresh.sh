#!/usr/bin/env bash
# Run the commands of README.md in a bare Debian 13, which debootstrap makes in a folder of its own: make test-fresh.
# Needs root and debootstrap. Mirrors of packages are those that this machine is set up with.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=("${@:-demo}")
[ "$(id -u)" = 0 ] || { echo "make test-fresh needs root, to make a system in a folder." >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt install debootstrap" >&2; exit 1; }

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1)
root=$(mktemp -d .data/fresh-XXXXXX)
root=$(realpath "$root")
unmount() {
	for place in proc dev/shm dev; do
		# Detached at once: a process that just ends may still use it.
		if mountpoint -q "$root/$place"; then umount --lazy "$root/$place"; fi
	done
	rm -rf --one-file-system "$root"
}
trap unmount EXIT

debootstrap --variant=minbase --include=python3,python3-venv,make,git,libcurl4t64,ca-certificates \
	trixie "$root" "$mirror" >"$root.log" || { tail "$root.log" >&2; exit 1; }
rm "$root.log"
git clone -q . "$root/carrel"
# The way to a registry of Python packages and to its certificate, if this machine needs any.
for file in /etc/pip.conf /etc/uv /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
	[ -e "$file" ] && mkdir -p "$root$(dirname "$file")" && cp -rL "$file" "$root$file"
done
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
passed=$(env | grep -E '^(PIP|UV|SSL|HTTPS?|NO)_[A-Z_]+=' || true)
mapfile -t passed <<<"$passed"
for target in "${targets[@]}"; do
	env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8 "${passed[@]:-A=1}" \
		chroot "$root" make -C /carrel "$target"
done
echo "In a bare Debian 13: make ${targets[*]} passed."
