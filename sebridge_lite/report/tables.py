"""Which stage makes which table and figure of the summary, and which columns people are shown."""

from sebridge_lite.paper import evidence

TABLES = {name: (entry["stage"], entry["title"]) for name, entry in evidence.TABLES.items()}
FILES = {name: entry["file"] for name, entry in evidence.TABLES.items() if "file" in entry}
FIGURES = {name: (entry["stage"], entry["table"], entry["alt"]) for name, entry in evidence.FIGURES.items()}
SHOWN, PART_OF = evidence.CONTENTS["columns"], evidence.CONTENTS["part_of"]
