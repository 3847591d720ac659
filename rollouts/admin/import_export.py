"""Import in two steps: what the files would change, or what is wrong with them by line; then the import itself.

What was uploaded stands in the page between the steps, where it can be mended; nothing is kept on the server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..audit.actor import Actor
from ..portal import refusals
from ..portal.answers import SeeOther
from ..rules.catalogue import LIMIT, parse_models, parse_unit_primitives
from ..rules.document import DocumentRefused, Fault
from ..rules.line_difference import DiffLine, diff
from ..rules.model_sheet import parse_csv, parse_yaml
from ..rules.phrases import say
from ..services import imports, templates
from ..services.imports import Imported, Taken
from ..services.refusals import Refused
from .base import AuditedAdmin, is_admin

MOST_FILES = 20


@dataclass(frozen=True, slots=True)
class File:
    """One file as uploaded, or as it stands in the page."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class TakenLines:
    """One thing that would change; of a template the lines that differ."""

    taken: Taken
    lines: tuple[DiffLine, ...] = ()


class ImportExportAdmin(AuditedAdmin):
    """A list with an import page. Subclasses say what it takes, and how."""

    change_list_template = "admin/import_export_list.html"
    import_words: Any = ""
    #: (label, address) of each way out.
    exports: tuple[tuple[Any, str], ...] = ()

    def take(self, files: list[File], by: Actor) -> Imported:
        """Raises ``DocumentRefused`` with the faults of all files, or ``Refused``."""
        raise NotImplementedError

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name=f"{self._name}_import"), *super().get_urls()]

    @property
    def _name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        ways = [(label, reverse(f"admin:{name}")) for label, name in self.exports]
        more = {"exports": ways, "import_url": reverse(f"admin:{self._name}_import") if is_admin(request) else ""}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Wrong files: 422 with every fault; refused: 409 with the reasons. Nothing changed then."""
        if not is_admin(request):
            raise PermissionDenied
        files, faults = _files(request) if request.method == "POST" else ([], [])
        found: list[TakenLines] | None = None
        refused: Refused | None = None
        imported, status = Imported(), 200
        if request.method == "POST" and not files and not faults:
            faults = [Fault(_("Nothing to import"), 0, _("Choose a file, or paste its text."))]
        if files and not faults:
            by = Actor.of(request.user)
            try:
                if "import" in request.POST:
                    with transaction.atomic():
                        imported = self.take(files, by)
                    self.message_user(request, _told(imported), messages.SUCCESS)
                    return SeeOther(reverse(f"admin:{self._name}_changelist"))
                imported = imports.looked_at(lambda: self.take(files, by))
                found = [_lines(taken) for taken in imported.changes]
            except DocumentRefused as wrong:
                faults, status = list(wrong.faults), 422
            except Refused as no:
                refused, status = no, no.status
        elif faults:
            status = 422
        context = {
            **self.admin_site.each_context(request),
            "title": _("Import %(things)s") % {"things": self.opts.verbose_name_plural},
            "opts": self.opts,
            "import_words": self.import_words,
            "files": files,
            "faults": faults,
            **refusals.told(refused),
            "found": found,
            "imported": imported,
        }
        return render(request, "admin/import.html", context, status=status)


def _told(imported: Imported) -> str:
    new = ngettext("%(number)s is new", "%(number)s are new", imported.new) % {"number": imported.new}
    changed = _("%(number)s changed") % {"number": imported.changed}
    same = _("%(number)s as they were") % {"number": imported.same}
    return f"{new}, {changed}, {same}."


def _lines(taken: Taken) -> TakenLines:
    """A document is shown by its lines, everything else by its fields."""
    document = next((one for one in taken.fields if one[0] == "document"), None)
    if document is None:
        return TakenLines(taken)
    return TakenLines(taken, diff(str(document[1] or ""), str(document[2])))


def _files(request: HttpRequest) -> tuple[list[File], list[Fault]]:
    """What was uploaded now; else what stands in the page."""
    uploaded = [one for one in request.FILES.getlist("files") if one]
    names, texts = request.POST.getlist("source"), request.POST.getlist("text")
    if len(uploaded) > MOST_FILES or len(texts) > MOST_FILES:
        return [], [Fault(_("Import"), 0, say("more than {limit} files. Import them in parts.", limit=MOST_FILES))]
    if not uploaded:
        files = [File(name[:100] or "pasted", text) for name, text in zip(names, texts, strict=False) if text.strip()]
        return files, []
    files, faults = [], []
    for one in uploaded:
        name, content = str(one.name)[:100], one.read(LIMIT + 1)
        if len(content) > LIMIT:
            faults.append(Fault(name, 0, say("too large: a file may have {limit} bytes. Split it.", limit=LIMIT)))
            continue
        try:
            files.append(File(name, content.decode("utf-8")))
        except UnicodeDecodeError as wrong:
            line = content[: wrong.start].count(b"\n") + 1
            faults.append(Fault(name, line, say("this is not UTF-8 text. Save the file with the encoding UTF-8.")))
    return files, faults


def take_models(files: list[File], by: Actor) -> Imported:
    """The AI Gateway's catalogue (models.yml, unit_primitives.yml), or the portal's own YAML or CSV; by its content."""
    faults: list[Fault] = []

    def read(parse: Callable[..., tuple[Any, ...]], file: File) -> tuple[Any, ...]:
        try:
            return parse(file.text, source=file.name)
        except DocumentRefused as refused:
            faults.extend(refused.faults)
            return ()

    sheet: list[Any] = []
    models: list[Any] = []
    features: list[Any] = []
    for file in files:
        if file.name.lower().endswith(".csv") or file.text.lstrip("\ufeff").startswith("slug,"):
            sheet += read(parse_csv, file)
        elif "configurable_unit_primitives" in file.text:
            features += read(parse_unit_primitives, file)
        elif any(line.startswith("ai_models:") for line in file.text.splitlines()):
            sheet += read(parse_yaml, file)
        else:
            models += read(parse_models, file)
    if features and not models:
        message = say("it says which features use which models: import it together with the catalogue's models.yml.")
        faults += [Fault(file.name, 0, message) for file in files if "configurable_unit_primitives" in file.text]
    if faults:
        raise DocumentRefused(faults)
    imported = imports.import_models(models, features, by=by)
    imported.add(imports.import_sheet(sheet, by=by))
    return imported


def take_templates(files: list[File], by: Actor) -> Imported:
    """One template in each file."""
    imported, faults = Imported(), list[Fault]()
    for file in files:
        try:
            saved = templates.save(file.text, by=by, source=file.name)
        except DocumentRefused as refused:
            faults.extend(refused.faults)
            continue
        name = saved.template.slug
        imported.count(not saved.before, not saved.is_same, name)
        if not saved.is_same:
            fields = (("document", saved.before, saved.template.document),)
            imported.changes.append(Taken(name, not saved.before, fields))
    if faults:
        raise DocumentRefused(faults)
    return imported
