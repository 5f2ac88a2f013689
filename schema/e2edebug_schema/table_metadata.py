"""The one MetaData that every table of the store belongs to, wherever it is declared."""

from typing import Final

from sqlalchemy import MetaData

metadata: Final = MetaData()
