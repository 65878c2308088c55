"""Given names of many places, to tell Kafka from Karin: a hint for a name that stands where a person would.

Left out are names that are also common software (Ruby, Jenkins, Vault) and months.
"""

from pathlib import Path

GIVEN_NAMES = frozenset(Path(__file__).with_name("given_names.txt").read_text(encoding="utf-8").split())
