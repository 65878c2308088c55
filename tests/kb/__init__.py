import pytest

# pytest rewrites asserts in test files by itself; the contract's, shared by several files, it must be told of.
pytest.register_assert_rewrite("tests.kb.search_contract")
