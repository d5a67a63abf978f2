# Sourced by the scripts of this folder.

# Records a check that is skipped, and why: prints it, and .ci/run prints it again at its end.
skip() {
  echo "skipped: $*"
  if [[ -n ${SKIPPED-} ]]; then echo "$*" >>"$SKIPPED"; fi
}

# Installs packages of Debian or Ubuntu, without questions. Returns whether that worked. A new machine has no lists of packages yet.
install() {
  command -v apt-get >/dev/null || return 1
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::http::Timeout=30 -o Acquire::Retries=1 -o DPkg::Lock::Timeout=120)
  if ((EUID)); then apt=(sudo -n "${apt[@]}"); fi
  "${apt[@]}" install -y "$@" </dev/null || { "${apt[@]}" update </dev/null && "${apt[@]}" install -y "$@" </dev/null; }
}

# Returns whether the standard library for this target is there, or can be added.
has_target() {
  [[ -d $(rustc --print target-libdir --target "$1") ]] || timeout 120 rustup target add "$1"
}
