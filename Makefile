# make demo    a server with sample data on http://127.0.0.1:8000 (PORT=8080 for another port)
# make test    every check and test
# make lint    only those that need no running program
# make install only the libraries, in .venv: for a server of your own
# make clean   removes what was installed and built; your data in var/ stays

VENV := .venv
python := $(VENV)/bin/python
pip := $(python) -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test lint install clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	@exec $(python) manage.py demo

test: $(VENV)/installed-for-test
	@.ci/test

lint: $(VENV)/installed-for-test
	@.ci/test lint

install: $(VENV)/installed

clean:
	rm -rf $(VENV) .venv-whoosh3 *.egg-info build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@python=$$(.ci/python) && echo "building $(VENV) with $$python ..." && "$$python" -m venv $(VENV)

# Without isolation: the one build tool is pinned like everything else, and not fetched a second time.
$(VENV)/build-tool: constraints.txt | $(VENV)/bin/python
	@$(pip) setuptools
	@touch $@

$(VENV)/installed: pyproject.toml $(VENV)/build-tool
	@echo "installing the libraries ..."
	@$(pip) --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-for-test: pyproject.toml $(VENV)/build-tool
	@echo "installing the libraries and the tools of the tests ..."
	@$(pip) --no-build-isolation --editable '.[test]'
	@touch $@ $(VENV)/installed
