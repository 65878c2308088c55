"""Files on disk -> what a postmortem consists of. Pure parsers: no models, no database; one file per format."""
