# Each target calls one script, which can be called without make as well.

.PHONY: demo check test bench

demo: ## deploy the example on this machine and send it a request
	.ci/demo

check: ## format, linters, drift, unit tests
	.ci/check

test: ## check, then the tests against real servers; SERVERS="docker registry" runs some
	.ci/test

bench: ## start-up, projects of many apps, requests to GitHub, a large state, images and Dockerfiles, beside programs of the same kind
	.ci/bench
