"""How Sigma's names become those of a pipeline: fields, log sources, keywords and levels."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictStr, StringConstraints, ValidationError

from sentinel.documents import Document, read_file, read_text, refuse_all
from sentinel.domain.rule import Severity
from sentinel.errors import ErrorDetail, InvalidError

BUILT_IN = ("windows-sysmon",)

FieldPath = Annotated[
    StrictStr, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$", max_length=700)
]


class LogSource(BaseModel):
    """Which events a Sigma log source stands for.

    Attributes:
        when: A Sigma selection (field: value or list of values) that such events fulfil; empty: every event is one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    product: StrictStr | None = None
    category: StrictStr | None = None
    service: StrictStr | None = None
    when: dict[str, Any] = Field(default_factory=dict)

    def fits(self, product: str | None, category: str | None, service: str | None) -> bool:
        """Whether a rule of that log source is meant: it names all that is named here, and the same."""
        pairs = ((self.product, product), (self.category, category), (self.service, service))
        return all(wanted is None or (given or "").lower() == wanted.lower() for wanted, given in pairs)

    @property
    def precision(self) -> int:
        """How many of the three it names; the most precise entry counts."""
        return sum(part is not None for part in (self.product, self.category, self.service))


class Mapping(BaseModel):
    """What a mapping file says; see docs/sigma.md.

    Attributes:
        fields: Sigma's field -> the pipeline's, with dots into structs; None: events never have it.
        logsources: None: log sources are not looked at, and each rule gets a warning.
        keywords: Fields that keywords (values without a field) are searched in.
        levels: Sigma's level -> severity, where it differs from the default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: dict[str, FieldPath | None] = Field(default_factory=dict)
    logsources: tuple[LogSource, ...] | None = None
    keywords: tuple[FieldPath, ...] = ()
    levels: dict[str, Severity] = Field(default_factory=dict)

    def field(self, name: str) -> str | None:
        """Return the pipeline's field; None: events never have it."""
        return self.fields.get(name, name)

    def log_source(self, product: str | None, category: str | None, service: str | None) -> LogSource | None:
        """Return the most precise entry for a rule's log source; None: there is none."""
        fitting = [entry for entry in self.logsources or () if entry.fits(product, category, service)]
        return max(fitting, key=lambda entry: entry.precision, default=None)


def load_mapping(name: str) -> Mapping:
    """Return the mapping of a file, or the built-in one of that name.

    Raises:
        InvalidError: There is none, or it is not a mapping; the message has file and line.
    """
    if name in BUILT_IN:
        return _built_in(name)
    path = Path(name)
    if not path.is_file():
        raise InvalidError(f"there is no mapping file {name!r}; built in are {', '.join(BUILT_IN)}")
    return _validated(read_file(path), name)


@lru_cache
def _built_in(name: str) -> Mapping:
    text = resources.files("sentinel.sigma").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return _validated(read_text(text, f"{name}.yaml"), name)


def _validated(documents: list[Document], name: str) -> Mapping:
    if len(documents) != 1:
        raise InvalidError(f"{name}: a mapping file has one document, not {len(documents)}")
    document = documents[0]
    try:
        return Mapping.model_validate(document.value)
    except ValidationError as error:
        refuse_all(
            [
                ErrorDetail(document.where(item["loc"]), f"{'.'.join(map(str, item['loc']))}: {item['msg']}")
                for item in error.errors()
            ]
        )
        raise
