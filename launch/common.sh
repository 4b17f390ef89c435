# What the scripts of this folder share; they source it.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by those that source this
program=$root/.build/release/seqtrain

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# The same for wrong options.
misuse() {
  (fail "$@") || exit 64
}

# Open MPI as it must be told as root and in containers, where one process may not read another's memory
# (open-mpi/ompi issue 4948). What the user has set stays.
if [[ $(id -u) -eq 0 ]]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMPI_MCA_btl_vader_single_copy_mechanism=${OMPI_MCA_btl_vader_single_copy_mechanism:-none}

# Colours are a flag of the compiler: with them on a terminal and without them elsewhere, each would have everything
# built again after the other.
build() {
  swift build --package-path "$root" -c release --no-color-diagnostics "$@" >&2 ||
    fail "the build failed; its messages are above"
}

# Where the run's checkpoints are, as seqtrain finds its directory: --run, or runs/ and the name of the settings' file.
checkpoints() {
  local run=runs/default argument
  for argument in "$@"; do
    case $argument in
    *.yaml | *.yml) run=runs/$(basename "${argument%.*}") ;;
    esac
  done
  while [[ $# -gt 0 ]]; do
    case $1 in
    --run) run=${2:-} ;;
    --run=*) run=${1#--run=} ;;
    esac
    shift
  done
  echo "$run/checkpoints"
}

# The newest checkpoint of the run that these arguments name: while it changes, the run comes further.
newest_checkpoint() {
  local files
  files=("$(checkpoints "$@")"/step-*.h5)
  echo "${files[-1]}"
}
