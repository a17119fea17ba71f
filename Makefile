.PHONY: run test check bench eval

run:  ## set up, start everything, take the sample through; e.g. make run ARGS=--no-sample
	@scripts/run $(ARGS)

test:  ## set up and pass the tests; e.g. make test ARGS="-k ledger"
	@scripts/test $(ARGS)

check:  ## lint, format, types, import direction, the project's own rules
	@scripts/check

bench:  ## measure speed, as ratios against a baseline of the same run
	@scripts/bench $(ARGS)

eval:  ## measure quality against references
	@scripts/eval $(ARGS)
