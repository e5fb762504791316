#!/bin/bash
# Make a folder that holds Debian sid with its Blender, and start that Blender: what the window tests need on a machine without one.
#
#   tests/gui/install_blender.sh FOLDER                 install (a Debian machine, root; some 2 minutes, 1.5 GB)
#   SAPIENS2_BLENDER="tests/gui/install_blender.sh run FOLDER" pytest tests/gui
set -euo pipefail

if [ "${1:?folder, or run}" = run ]; then
    root=${2:?folder}
    shift 2
    project=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
    # The Python of the worker is often a link to one elsewhere on this machine.
    python=$(readlink -f "${WORKER_PYTHON:-$project/.venv/bin/python}")
    prefix=$(dirname "$(dirname "$python")")
    exec bwrap --bind "$root" / --dev-bind /dev /dev --proc /proc --bind /tmp /tmp --bind "$project" "$project" \
        $([ "$prefix" = /usr ] || echo --ro-bind "$prefix" "$prefix") \
        --setenv HOME /tmp/blender-home --setenv LANG C.UTF-8 --setenv LIBGL_ALWAYS_SOFTWARE 1 --unsetenv WAYLAND_DISPLAY \
        --chdir "$PWD" /usr/bin/blender "$@"
fi

root=$1
mkdir -p /tmp/blender-home
export DEBIAN_FRONTEND=noninteractive
missing=()
for pair in debootstrap:debootstrap bwrap:bubblewrap xvfb-run:xvfb xauth:xauth import:imagemagick; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
[ -e "$root/installed" ] && exit 0

# The mirror that this machine has its own packages from.
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
mirror=${mirror:-$(awk '$1 == "deb" {for (i = 2; i <= NF; i++) if ($i ~ /^https?:/) {print $i; exit}}' /etc/apt/sources.list)}
[ -n "$mirror" ] || { echo "no Debian mirror in /etc/apt" >&2; exit 1; }
umount "$root/proc" 2>/dev/null || true
rm -rf --one-file-system "$root"
mkdir -p "$root"
debootstrap --variant=minbase sid "$root" "$mirror" >"$root.log" 2>&1 || debootstrap --variant=minbase --no-check-gpg sid "$root" "$mirror" >"$root.log" 2>&1
cat >"$root/etc/apt/apt.conf.d/99small" <<'CONF'
APT::Install-Recommends "0";
Acquire::Check-Valid-Until "false";
DPkg::Options { "--force-unsafe-io"; };
CONF
printf 'path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\npath-exclude /usr/share/locale/*\n' >"$root/etc/dpkg/dpkg.cfg.d/small"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mount -t proc proc "$root/proc"
trap 'umount "$root/proc" || true' EXIT
chroot "$root" apt-get -qq update
chroot "$root" apt-get install -y -qq blender libgl1 libegl1 libgl1-mesa-dri libglx-mesa0 libegl-mesa0 \
    mesa-vulkan-drivers libvulkan1 fonts-dejavu-core python3-numpy python3-cattr python3-requests python3-zstandard libxtst6 imagemagick >>"$root.log" 2>&1
chroot "$root" apt-get clean
chroot "$root" blender --version | head -1
touch "$root/installed"
