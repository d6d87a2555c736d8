# What the benchmarks of images share: a registry that is emptied between runs,
# measuring, and the rows of a table. It is sourced after lib.sh.
# shellcheck shell=bash

rounds=${ROUNDS:-3}
[[ -x /usr/bin/time ]] || die "this needs /usr/bin/time"
have docker-registry || die "this needs docker-registry: testdata/servers/registry/install.sh"

folder=$(mktemp -d)
address=127.0.0.1:5799
registry=
stop_registry() { [[ -z $registry ]] || { kill "$registry" && wait "$registry" || true; } 2>/dev/null; registry=; }

cat >"$folder/registry.yml" <<-END_OF_FILE
	version: 0.1
	log: {level: info, formatter: text}
	storage: {filesystem: {rootdirectory: $folder/store}}
	http: {addr: $address}
END_OF_FILE

# new_registry [NAME] starts a registry that is empty, or has what was kept under
# a name.
new_registry() {
	stop_registry
	rm -rf "$folder/store"
	if [[ -n ${1:-} ]]; then
		mkdir -p "$folder/store/docker/registry/v2"
		cp -al "$folder/kept-$1/docker/registry/v2/blobs" "$folder/store/docker/registry/v2"
		cp -a "$folder/kept-$1/docker/registry/v2/repositories" "$folder/store/docker/registry/v2" # tags are written in place
	fi
	docker-registry serve "$folder/registry.yml" >"$folder/requests" 2>&1 &
	registry=$!
	for _ in {1..100}; do
		[[ $(curl -s -o /dev/null -w '%{http_code}' "http://$address/v2/") == 200 ]] && break
		sleep 0.05
	done
	: >"$folder/requests"
}

# keep_registry NAME keeps what the registry has, and stops it.
keep_registry() {
	stop_registry
	mv "$folder/store" "$folder/kept-$1"
}

# requests prints how many requests there were since the registry was new.
requests() { grep -acE '"(GET|HEAD|POST|PUT|PATCH) /v2/' "$folder/requests" || true; }

# project FOLDER IMAGE [LINE...] makes a folder with a Dockerfile a project, with
# the lines in its use block.
project() {
	local to=$1 image=$2
	shift 2
	cat >"$to/waypoint.hcl" <<-END_OF_FILE
		project = "bench"
		app "web" {
		  build {
		    use "docker" {
		      $(printf '%s\n' "$@")
		    }
		    registry {
		      use "docker" {
		        image = "$address/$image"
		        tag   = "v1"
		      }
		    }
		  }
		  deploy {
		    use "null" {}
		  }
		}
	END_OF_FILE
}

# measure NAME COMMAND... keeps milliseconds of the wall and of the processor,
# the kilobytes of memory, and the number of requests.
measure() {
	local name=$1
	shift
	/usr/bin/time -o "$folder/time" -f '%e %U %S %M' "$@" >"$folder/log" 2>&1 || die "this fails: $* ($(tail -n 3 "$folder/log"))"
	awk -v r="$(requests)" '{ printf "%d %d %d %d\n", $1 * 1000, ($2 + $3) * 1000, $4, r }' "$folder/time" >>"$folder/result-$name"
}

# column NAME N prints the median of one figure.
column() { cut -d' ' -f"$2" "$folder/result-$1" | sort -n | sed -n "$((rounds / 2 + 1))p"; }

# row TITLE NAME PEER... prints the medians, and the ratio of the walls to each
# peer: the median of those of the rounds, in which both ran one after the other.
row() {
	local title=$1 name=$2 peer ratios=''
	shift 2
	for peer in "$@"; do
		ratios+=" $(paste -d' ' "$folder/result-$name" "$folder/result-$peer" | awk '{ printf "%.2f\n", $1 / $5 }' |
			sort -n | sed -n "$((rounds / 2 + 1))p") of $peer;"
	done
	printf '%-48s %8d ms %8d ms %6d MB %4d  %s\n' "$title" "$(column "$name" 1)" "$(column "$name" 2)" \
		$(($(column "$name" 3) / 1024)) "$(column "$name" 4)" "${ratios%;}"
}

# table TEXT prints the head of a table.
table() {
	headline "$1: medians of $rounds rounds"
	printf '%-48s %11s %11s %9s %4s  %s\n' "" wall processor memory "req." "wall, to the peer's"
}
