# The targets for people.

.PHONY: deps run format format-check clean distclean help
deps: ## Install what building, running and testing need (Debian; root or sudo)
	@dev/install-deps.sh check

run: ## Build and serve on 127.0.0.1:PORT with a private httpd and PostgreSQL under RUN_DIR; Ctrl-C stops
	@dev/install-deps.sh run
	@$(MAKE) --no-print-directory -s all
	@exec dev/run.sh

FORMATTED = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')
format: ## clang-format every C file
	clang-format -i $(FORMATTED)

format-check: ## Say which files clang-format would change
	@clang-format --dry-run -Werror $(FORMATTED)

clean: ## Remove what was built; ./run with its data stays
	rm -rf $(BUILD)

help: ## This list
	@echo 'make TARGET [BUILD=dir] [CC=clang] [SANITIZE=address,undefined] [CFLAGS=...] [PORT=8080] [RUN_DIR=run] [V=1]'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile mk/*.mk | sort | awk -F '\t' '{ printf "  %-15s %s\n", $$1, $$2 }'
