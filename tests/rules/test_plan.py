"""Plan documents: what they say, how they are written, and every refusal with its line."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules.document import DocumentRefused
from rollouts.rules.expected import Audience
from rollouts.rules.metrics import Bound
from rollouts.rules.percentages import plain
from rollouts.rules.plan import Criteria, FlagPlan, ModelPlan, PhasePlan, PlanDocument, StepPlan, dump_plan, parse_plan
from rollouts.rules.template_document import parse_template
from tests.rules.plans import CODE_SUGGESTIONS, EXAMPLE, TEMPLATES, faults_of

SMALL = """\
rollout: r
title: T
model: codestral-2501
flag: {name: f}
"""


def ramp(*percentages, soak):
    return tuple(StepPlan(percentage, soak) for percentage in percentages)


def parsed(text, templates=TEMPLATES):
    return parse_plan(text, templates=templates)


def refused(text, templates=TEMPLATES):
    return [str(fault) for fault in faults_of(parse_plan, text, templates=templates)]


def test_the_example_of_the_design_says_what_it_says():
    plan = parsed(EXAMPLE)
    assert plan.rollout == "haiku-code-completion"
    assert plan.model == ModelPlan(
        "anthropic", "claude-haiku", "code_completion", "Vertex AI", requests_per_minute=60000
    )
    assert plan.baseline == "codestral-2501"
    assert plan.flag == FlagPlan("use_claude_code_completion")
    assert plan.peak_requests_per_minute == 42000
    assert list(plan.issues) == ["rollout_plan", "flag_rollout", "internal_rollout", "internal_feedback"]
    assert plan.phases == (
        PhasePlan("team", Audience.ACTORS, actors=("user:alice", "group:acme/code-creation")),
        PhasePlan("company", Audience.GROUPS, groups=("acme_team_members",)),
        PhasePlan(
            "everyone",
            Audience.PERCENTAGE,
            steps=ramp(1, 10, 25, 50, 75, 100, soak=timedelta(minutes=15)),
            final_soak=timedelta(days=1),
        ),
    )


def test_a_plan_that_says_little_gets_the_word_of_its_template():
    plan = parsed(SMALL)
    assert plan.model == "codestral-2501"
    assert plan.template == "code_suggestions"
    assert plan.phase("team").actors == ()
    assert plan.phase("company").groups == ("gitlab_team_members",)
    assert plan.phase("everyone").steps == ramp(1, 10, 25, 50, 75, 100, soak=timedelta(minutes=15))


def test_a_schedule_says_what_single_steps_do_otherwise():
    plan = parsed(
        SMALL + "phases:\n  everyone:\n    steps: [1, 50, 100]\n    soak: 1h\n    auto: true\n    schedule:\n"
        "      - {step: 50, at: 2026-12-01 09:00 Europe/Berlin, soak: 2d, auto: false}\n"
        "      - {step: 100, at: 2026-12-09T09:00+01:00}\n"
    )
    hour, nine = timedelta(hours=1), datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert plan.phase("everyone").steps == (
        StepPlan(1, hour, None, True),
        StepPlan(50, timedelta(days=2), nine, False),
        StepPlan(100, hour, nine + timedelta(days=8), True),
    )


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ("[{step: 7}]", "7 is no step of this ramp. There are: 1, 50, 100."),
        ("[{step: 50}, {step: 50}]", "50 is in the schedule twice"),
        ("[{step: 50, at: 2026-12-02T09:00Z}, {step: 100, at: 2026-12-01T09:00Z}]", "Let the times rise"),
        ("[{step: 50, at: 2026-12-02 09:00}]", "does not say in which time zone"),
        ("[{step: 50, at: soon}]", "soon is no time. Write 2026-12-01T09:00Z"),
        (f"[{{step: 50, at: {'soo' * 13}ner}}]", f"at: {'soo' * 13}n is no time. Write"),
        ("[{step: 50, at: 2027-03-28 02:30 Europe/Berlin}]", "does not exist in Europe/Berlin"),
        ("[{step: 50, at: 2027-10-31 02:30 Europe/Berlin}]", "exists twice in Europe/Berlin"),
        ("[{step: 50, at: 2026-12-02 09:00 Europe/Bonn}]", "Europe/Bonn"),
        ("[{step: 50, when: now}]", "`when` is not a key"),
    ],
)
def test_a_schedule_that_can_not_be_is_refused(entries, words):
    text = SMALL + f"phases: {{everyone: {{steps: [1, 50, 100], schedule: {entries}}}}}"
    assert any(words in fault for fault in refused(text)), refused(text)


def test_all_at_once_has_no_steps():
    phase = parsed(SMALL + "phases: {everyone: {method: all_at_once, final_soak: 2d}}").phase("everyone")
    assert phase == PhasePlan("everyone", Audience.ALL_AT_ONCE, final_soak=timedelta(days=2))


def test_steps_alone_mean_by_percentage_whatever_the_template_prefers():
    at_once = parse_template(
        "template: t\ntitle: T\nphases: [{name: all, title: All, audience: everyone, method: all_at_once}]"
    )
    plan = SMALL + "template: t\nphases: {all: {steps: [50, 100]}}"
    assert parsed(plan, {"t": at_once}).phase("all").steps == ramp(50, 100, soak=timedelta(minutes=15))
    assert parsed(SMALL + "template: t\n", {"t": at_once}).phase("all").audience is Audience.ALL_AT_ONCE


def test_a_projects_flag_is_for_production_unless_the_plan_says_otherwise():
    plan = SMALL.replace("{name: f}", "{project: acme/app, name: f}")
    assert parsed(plan).flag == FlagPlan("f", "acme/app", "production")
    assert parsed(plan.replace("name: f", "name: f, environment: staging")).flag.environment == "staging"


def test_a_projects_flag_knows_no_feature_groups_so_actors_may_stand_for_them():
    plan = SMALL.replace("{name: f}", "{project: acme/app, name: f}") + "phases: {company: {actors: ['group:acme']}}"
    assert parsed(plan).phase("company") == PhasePlan("company", Audience.ACTORS, actors=("group:acme",))


@pytest.mark.parametrize(
    ("written", "refusals"),
    [
        ("method: percentage, steps: [0.5, 100]", 1),
        ("steps: [0.5, 100]", 1),
        ("steps: [0.5, 1.5, 100]", 2),
        ("method: percentage, steps: [1, 100]", 0),
        ("method: all_at_once", 0),
    ],
)
def test_a_projects_flag_takes_whole_percentages_only(written, refusals):
    plan = SMALL.replace("{name: f}", "{project: acme/app, name: f}") + f"phases: {{everyone: {{{written}}}}}"
    if not refusals:
        assert parsed(plan).phase("everyone")
        return
    told = refused(plan)
    assert len(told) == refusals
    assert all("a project's flag takes whole percentages only" in one for one in told)


def test_criteria_take_one_sentence_or_several():
    plan = parsed(SMALL + "criteria: {success: p50 below 700 ms, roll_back: [a, b], continue: c}\nmitigation: none\n")
    assert plan.criteria == Criteria(success=("p50 below 700 ms",), continue_=("c",), roll_back=("a", "b"))


def test_dates_of_the_timeline_stay_text():
    assert parsed(SMALL + "timeline: {team: 2026-12-01, everyone: from March}").timeline["team"] == "2026-12-01"


def test_keys_without_a_value_say_nothing():
    assert parsed(SMALL + "baseline:\nissues:\n  rollout_plan:\nphases:\n  team:\nmitigation: ''\n") == parsed(SMALL)


def test_phases_may_have_issues_of_their_own():
    plan = parsed(SMALL + "phases: {team: {issues: {rollout_plan: 'https://gitlab.example/a/b/-/issues/3'}}}")
    assert plan.phase("team").issues == {"rollout_plan": "https://gitlab.example/a/b/-/issues/3"}


@pytest.mark.parametrize(
    "actor",
    [
        "user:alice.b",
        "group:acme/code-creation",
        "project:acme/app",
        "User:42",
        "Group:9",
        "Project:3",
        "User:42:opt_out",
        "user:bob:opt_out",
    ],
)
def test_actors_by_name_and_by_number(actor):
    assert parsed(SMALL + f"phases: {{team: {{actors: ['{actor}']}}}}").phase("team").actors == (actor,)


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(days=1)),
        ("1d12h", timedelta(hours=36)),
        ("2w", timedelta(weeks=2)),
        ("0", timedelta(0)),
        ("'0'", timedelta(0)),
    ],
)
def test_durations(written, span):
    assert parsed(SMALL + f"phases: {{everyone: {{soak: {written}}}}}").phase("everyone").steps[0].soak == span


BAD = [
    # names
    (("rollout: r", "rollout: a/b"), 1, "«/» is not allowed"),
    (("rollout: r", "rollout: Big"), 1, "«B» is not allowed"),
    (("rollout: r", "rollout: new"), 1, "taken by the portal's own page"),
    (("rollout: r", "rollout: " + "a" * 101), 1, "100 characters, this one has 101"),
    (("rollout: r", "rollout: a--b"), 1, "single hyphens"),
    (("rollout: r", "rollout:"), 1, "`rollout` is missing. Add `rollout: …`."),
    (("rollout: r", "rollout: 5"), 1, "rollout must be text, not the number 5. Put it in quotes: '5'."),
    (("title: T", "title: true"), 2, "title must be text, not `true`"),
    (("title: T", "title: ' '"), 2, "it is empty"),
    (("title: T", "title: " + "x" * 201), 2, "200 characters, it has 201"),
    (("title: T", "title: T\ntitel: T"), 3, "`titel` is not a key of the document. Did you mean `title`?"),
    (("title: T", "title: T\nzzz:"), 3, "`zzz` is not a key of the document. There are: after, baseline, criteria"),
    (("{name: f}", "{name: a/b}"), 4, "has a slash (/) in it"),
    (("{name: f}", "{name: a b}"), 4, "has a space in it"),
    (("{name: f}", "{name: aäb}"), 4, "has «ä» in it"),
    (("{name: f}", "{name: .f}"), 4, "cannot begin with «.»"),
    (("{name: f}", "{name: " + "f" * 256 + "}"), 4, "255 characters, this one has 256"),
    (("{name: f}", "{}"), 4, "`name` is missing in flag"),
    (("{name: f}", "f"), 4, "flag must be a mapping of keys to values, not the text «f»"),
    (("{name: f}", "{name: f, environment: staging}"), 4, "`environment` belongs to a project's flag"),
    (("{name: f}", "{name: F, project: a/b}"), 4, "cannot be a project's flag"),
    (("{name: f}", "{name: f, project: app}"), 4, "Write its groups too"),
    (("{name: f}", "{name: f, project: 'https://x/a/b'}"), 4, "the project's path only"),
    (("{name: f}", "{name: f, project: 'a/../b'}"), 4, "is not a project's path"),
    (("{name: f}", "{name: f, project: a/b.git}"), 4, "Write «a/b»"),
    # the model and its numbers
    (("codestral-2501", "{provider: x}"), 3, "`id` is missing in model. Add `id: …`."),
    (("codestral-2501", "{provider: x, id: 2501}"), 3, "Put it in quotes: '2501'"),
    (
        ("codestral-2501", "{provider: x, id: y, quota: {requests_per_minut: 1}}"),
        3,
        "Did you mean `requests_per_minute`?",
    ),
    (("codestral-2501", "{provider: x, id: y, quota: {requests_per_minute: 1.5}}"), 3, "must be a whole number"),
    (("codestral-2501", "{provider: x, id: y, quota: {requests_per_minute: 0}}"), 3, "must be at least 1, not 0"),
    (
        ("codestral-2501", "{provider: x, id: y, quota: {requests_per_minute: 9_000_000_000}}"),
        3,
        "at most 2,000,000,000",
    ),
    (("codestral-2501", "[a]"), 3, "model must be a mapping of keys to values, not a list"),
    (("codestral-2501", "a/b"), 3, "is not the short name of an AI model"),
    ("template: cod_suggestions", 5, "there is no template «cod_suggestions». Did you mean `code_suggestions`?"),
    ("template: 5", 5, "template must be text"),
    ("workload: 5", 5, "workload must be a mapping"),
    ("workload: {peak_requests_per_minute: '5'}", 5, "must be a whole number, not the text «5»"),
    ("workload: {peak_requests_per_minute: true}", 5, "must be a whole number, not `true`"),
    ("owners: alice", 5, "owners must be a list, not the text «alice»"),
    ("owners:\n  - alice\n  - 7", 7, "owners must be text, not the number 7"),
    ("owners: [a, a]", 5, "«a» is in the list twice"),
    ("owners: ['a b']", 5, "not a user name"),
    # issues
    ("issues:\n  rollout_plan: ftp://x/1", 6, "begins with https://"),
    ("issues:\n  rollout_plan: not a url", 6, "a space"),
    ("issues:\n  rollout_plan: https://", 6, "not a web address"),
    ("issues:\n  rollout_plan: https://[x", 6, "not a web address"),
    ("issues:\n  rollout_plan: https://u:p@x/1", 6, "user name or password"),
    ("issues:\n  rollout_plan: [https://x/1]", 6, "rollout_plan must be text, not a list"),
    (
        "issues:\n  rolout_plan: https://x/1",
        6,
        "«rolout_plan» is no role of code_suggestions. Did you mean `rollout_plan`?",
    ),
    # phases
    (
        "phases:\n  evryone: {}",
        6,
        "no phase of code_suggestions. Did you mean `everyone`? There are: team, company, everyone.",
    ),
    ("timeline:\n  later: x", 6, "«later» is no phase of code_suggestions"),
    ("phases: [team]", 5, "phases must be a mapping"),
    ("phases: {team: {groups: [a]}}", 5, "`groups` does not fit team. This phase is for people by name"),
    ("phases: {company: {actors: ['user:a']}}", 5, "`actors` does not fit company. This phase is for feature groups"),
    ("phases: {everyone: {groups: [a]}}", 5, "`groups` does not fit everyone. This phase is for all users"),
    ("phases: {company: {groups: []}}", 5, "the phase company lets nobody in"),
    ("phases: {company: {groups: [acme/team]}}", 5, "not a feature group"),
    ("phases: {team: {skip: true}}", 5, "`skip` is not a key of phases.team"),
    ("phases: {team: {actors: [alice]}}", 5, "Write user:alice, group:PATH or project:PATH"),
    (
        "phases: {team: {actors: ['User:alice']}}",
        5,
        "takes GitLab's number, as in User:42. For a name write user:alice",
    ),
    ("phases: {team: {actors: ['robot:alice']}}", 5, "«robot:» is no kind of actor"),
    ("phases: {team: {actors: ['user:@alice']}}", 5, "without @"),
    ("phases: {team: {actors: ['project:app']}}", 5, "Write its groups too"),
    ("phases: {team: {actors: ['user:a', 'user:a']}}", 5, "twice"),
    (
        "phases:\n  everyone:\n    steps: [1, 50, 25, 100]",
        7,
        "steps must rise: 25 comes after 50. Put them in order, or start a second ramp.",
    ),
    ("phases: {everyone: {steps: [1, 1, 100]}}", 5, "steps must rise: 1 is there twice"),
    ("phases: {everyone: {steps: []}}", 5, "steps are empty"),
    ("phases: {everyone: {steps: [1, 50]}}", 5, "steps must end at 100: the last one is 50. Add 100."),
    ("phases: {everyone: {steps: [0, 100]}}", 5, "0 is no percentage from 0.001 to 100"),
    ("phases: {everyone: {steps: [50, 150]}}", 5, "150 is no percentage from 0.001 to 100"),
    ("phases: {everyone: {steps: [0.0001, 100]}}", 5, "0.0001 is no percentage from 0.001 to 100"),
    ("phases: {everyone: {steps: [1.0005, 100]}}", 5, "1.0005 is no percentage from 0.001 to 100 with three decimals"),
    ("phases: {everyone: {steps: [.nan, 100]}}", 5, "'.nan' is no percentage"),
    ("phases: {everyone: {steps: ['0.1', 100]}}", 5, "'0.1' is no percentage"),
    ("phases: {everyone: {steps: [1%, 100]}}", 5, "'1%' is no percentage"),
    ("phases: {everyone: {steps: [true, 100]}}", 5, "True is no percentage"),
    ("phases: {everyone: {steps: [0.5, 0.50, 100]}}", 5, "steps must rise: 0.5 is there twice"),
    ("phases: {everyone: {steps: [10, 0.1, 100]}}", 5, "steps must rise: 0.1 comes after 10"),
    ("phases: {everyone: {steps: [" + ", ".join(map(str, range(50, 101))) + "]}}", 5, "50 at most, here are 51"),
    ("phases: {everyone: {steps: 100}}", 5, "steps must be a list, not the number 100"),
    ("phases: {everyone: {method: slowly}}", 5, "method is the text «slowly». Write percentage or all_at_once."),
    ("phases: {everyone: {method: all_at_once, steps: [100]}}", 5, "`steps` means nothing all at once"),
    ("phases: {everyone: {method: all_at_once, soak: 15m}}", 5, "`soak` means nothing all at once"),
    ("phases: {everyone: {soak: 15}}", 5, "15 of what? Write the unit: 15m"),
    ("phases: {everyone: {soak: 15 min}}", 5, "write a duration such as 15m"),
    ("phases: {everyone: {soak: -1d}}", 5, "write a duration such as 15m"),
    ("phases: {everyone: {soak: 2h1d}}", 5, "write a duration such as 15m"),
    ("phases: {everyone: {soak: true}}", 5, "write a duration such as 15m"),
    ("phases: {everyone: {final_soak: 60w}}", 5, "longer than a year"),
    # the rest of the plan
    ("criteria: {sucess: x}", 5, "Did you mean `success`?"),
    ("criteria: {continu: x}", 5, "Did you mean `continue`?"),
    ("criteria: {pause: [1]}", 5, "pause must be text, not the number 1"),
    ("guard_metrics: {p95: {unit: ms}}", 5, "say what is allowed: `at_most: 1200`"),
    ("guard_metrics: {p95: {at_most: 1, at_least: 2}}", 5, "at_least 2 is more than at_most 1"),
    ("guard_metrics: {p95: {at_most: fast}}", 5, "at_most: write a number such as 1200"),
    ("guard_metrics: {p95: {at_most: true}}", 5, "at_most: write a number such as 1200"),
    ("guard_metrics: {p95: {most: 1}}", 5, "Did you mean `at_most`?"),
    ("guard_metrics: {p/95: {at_most: 1}}", 5, "«/» is not allowed"),
    ("mitigation: [x]", 5, "mitigation must be text, not a list"),
    ("baseline: &b x", 5, "anchors and aliases"),
    ("title: again", 5, "`title` is here twice: first on line 2"),
]


@pytest.mark.parametrize(("change", "line", "message"), BAD, ids=lambda value: str(value)[:50].replace("\n", " "))
def test_every_bad_plan_is_refused_with_line_and_cure(change, line, message):
    text = SMALL + change + "\n" if isinstance(change, str) else SMALL.replace(*change)
    assert text != SMALL
    (fault,) = faults_of(parse_plan, text, templates=TEMPLATES)
    assert message in fault.message
    assert fault.line == line


def test_all_faults_are_told_at_once_sorted_by_line():
    lines = refused(
        "rollout: a/b\ntitel: x\nflag: {name: a b}\nmodel: {}\nphases:\n  everyone: {steps: [5, 2]}\n  nobody: {}\n"
    )
    told = [int(line.split("line ")[1].split(":")[0]) for line in lines]
    assert told == sorted(told)
    assert len(lines) == 8


def test_a_plan_can_be_told_by_its_file():
    (fault,) = faults_of(parse_plan, SMALL + "a: 1\n", source="plans/haiku.yaml", templates=TEMPLATES)
    assert str(fault).startswith("plans/haiku.yaml, line 5: `a` is not a key")


def test_without_templates_nothing_can_be_planned():
    assert refused(SMALL, {}) == ["plan.yaml, line 1: there is no template «code_suggestions». There are none."]


def test_a_required_phase_must_let_somebody_in():
    template = parse_template(CODE_SUGGESTIONS.replace("    groups: [gitlab_team_members]\n", ""))
    (line,) = refused(SMALL, {"code_suggestions": template})
    assert "the phase company lets nobody in. It is for feature groups: write `groups: [NAME]`." in line


def test_a_plan_is_written_in_the_order_of_the_example():
    written = dump_plan(parsed(EXAMPLE))
    assert written.startswith(
        "rollout: haiku-code-completion\ntitle: Claude Haiku for code completion\nmodel:\n  provider: anthropic\n"
    )
    keys = [line.split(":")[0] for line in written.splitlines() if not line.startswith(" ")]
    assert keys == [
        "rollout",
        "title",
        "model",
        "baseline",
        "flag",
        "template",
        "workload",
        "owners",
        "issues",
        "phases",
    ]
    assert "owners:\n  - alice\n" in written
    assert "    steps: [1, 10, 25, 50, 75, 100]\n    soak: 15m\n    final_soak: 1d\n" in written


def test_a_plan_is_plain_data_and_can_be_kept_in_a_set():
    plan = parsed(EXAMPLE)
    assert json.loads(json.dumps(plan.as_dict()))["phases"]["everyone"]["soak"] == "15m"
    assert {plan, parsed(EXAMPLE)} == {plan}


def test_text_that_looks_like_something_else_is_quoted():
    plan = parsed(
        SMALL.replace("rollout: r", "rollout: 'no'").replace("title: T", "title: '2025'")
        + "owners: ['true', '1e3', on]"
    )
    written = dump_plan(plan)
    assert "rollout: 'no'" in written
    assert "title: '2025'" in written
    assert parsed(written) == plan


text = (
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), min_size=1, max_size=60)
    .map(str.strip)
    .filter(bool)
)
prose = st.lists(text, min_size=1, max_size=4).map("\n".join)
tricky = st.sampled_from(
    [
        "yes",
        "off",
        "null",
        "~",
        "2026-01-01",
        "12:30",
        "0x1f",
        "1_000",
        ".5",
        "- a",
        "a: b",
        "#x",
        "@x",
        "'",
        '"',
        "|",
        "=",
        "%a",
        "\u2028x",
        "x\x85y",
    ]
)
#: What no title may have, being a line that looks like what it is; other tests see it refused.
NO_TITLE = re.compile("[\x85\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
titles = (text | tricky.map(str.strip)).filter(lambda value: not NO_TITLE.search(value))
slug = st.from_regex(r"[a-z0-9]{1,8}([-_][a-z0-9]{1,8})?", fullmatch=True).filter(lambda value: value != "new")
address = slug.map(lambda value: f"https://gitlab.example/{value}/-/issues/1")
roles = st.dictionaries(st.sampled_from(TEMPLATES["code_suggestions"].roles), address, max_size=4)
actors = st.lists(
    st.one_of(
        slug.map("user:{}".format), slug.map("group:a/{}".format), st.integers(1, 10**6).map("User:{}:opt_out".format)
    ),
    unique=True,
    max_size=4,
).map(tuple)
requests = st.none() | st.integers(1, 2_000_000_000)
spans = st.integers(0, 360 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
moments = st.integers(0, 2_000_000).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))


@st.composite
def rising(draw):
    """A ramp whose planned times rise with its steps."""
    thousandths = st.integers(1, 99).map(lambda whole: whole * 1000) | st.integers(1, 99_999)
    steps = [plain(Decimal(each) / 1000) for each in (*sorted(draw(st.sets(thousandths, max_size=20))), 100_000)]
    times = sorted(draw(st.sets(moments, min_size=len(steps), max_size=len(steps))))
    return tuple(
        StepPlan(step, draw(spans), draw(st.sampled_from((None, moment))), draw(st.booleans()))
        for step, moment in zip(steps, times, strict=True)
    )


figures = st.integers(-(10**15), 10**15) | st.decimals(-1000, 1000, places=2).map(float)
units = st.just("") | st.sampled_from(["ms", "%", "1/s", "yes"])
bounds = st.builds(Bound, slug, units, at_most=figures) | st.builds(Bound, slug, units, at_least=figures)
sentences = st.lists(text | tricky.map(str.strip), max_size=3).map(tuple)
everyone = st.one_of(
    st.builds(PhasePlan, st.just("everyone"), st.just(Audience.ALL_AT_ONCE), final_soak=spans, issues=roles),
    st.builds(
        PhasePlan,
        st.just("everyone"),
        st.just(Audience.PERCENTAGE),
        steps=rising(),
        final_soak=spans,
        issues=roles,
    ),
)
plans = st.builds(
    PlanDocument,
    rollout=slug,
    title=titles,
    model=slug
    | st.builds(
        ModelPlan,
        provider=text,
        id=text,
        capability=slug | st.just(""),
        host=text | st.just(""),
        name=text | st.just(""),
        requests_per_minute=requests,
    ),
    flag=st.builds(FlagPlan, name=st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}", fullmatch=True))
    | st.builds(FlagPlan, name=st.just("f-1"), project=slug.map("acme/{}".format), environment=text),
    template=st.just("code_suggestions"),
    phases=st.tuples(
        st.builds(PhasePlan, st.just("team"), st.just(Audience.ACTORS), actors=actors, issues=roles),
        st.builds(
            PhasePlan,
            st.just("company"),
            st.just(Audience.GROUPS),
            groups=st.lists(slug.map(lambda s: s.replace("-", "_")), min_size=1, unique=True).map(tuple),
            issues=roles,
        ),
        everyone,
    ),
    baseline=st.none() | slug,
    peak_requests_per_minute=st.none() | st.integers(0, 2_000_000_000),
    owners=st.lists(slug, unique=True, max_size=3).map(tuple),
    issues=roles,
    criteria=st.builds(Criteria, success=sentences, continue_=sentences, pause=sentences, roll_back=sentences),
    guard_metrics=st.lists(bounds, max_size=3, unique_by=lambda bound: bound.name).map(tuple),
    timeline=st.dictionaries(st.sampled_from(["team", "company", "everyone"]), text | tricky.map(str.strip)),
    mitigation=prose | st.just("") | tricky.map(str.strip),
    # a project's flag knows no opt-outs, and no percentages with decimals
).filter(
    lambda plan: (
        not plan.flag.project
        or (":opt_out" not in str(plan.phases) and all(step.percentage % 1 == 0 for step in plan.phases[2].steps))
    )
)


@given(plans)
def test_a_plan_that_is_written_reads_back_the_same(plan):
    written = dump_plan(plan)
    again = parsed(written)
    assert again == plan
    assert hash(again) == hash(plan)
    assert dump_plan(again) == written
    assert parsed(written.encode()) == plan


PIECES = st.sampled_from(
    [
        "",
        " ",
        "\n",
        ":",
        "{",
        "}",
        "[",
        "]",
        "'",
        '"',
        "#",
        "- ",
        "~",
        "null",
        "5",
        "true",
        "\t",
        "&a",
        "*a",
        "!x",
        "\x00",
        "é",
        "x" * 300,
        "title",
        "phases",
        "<<",
    ]
)


@given(st.data())
def test_nothing_but_a_refusal_comes_of_a_damaged_plan(data):
    damaged = EXAMPLE
    for _ in range(data.draw(st.integers(1, 4))):
        at, cut = data.draw(st.integers(0, len(damaged))), data.draw(st.integers(0, 12))
        damaged = damaged[:at] + data.draw(PIECES) + damaged[at + cut :]
    began = time.process_time()
    try:
        assert isinstance(parsed(damaged), PlanDocument)
    except DocumentRefused as wrong:
        assert wrong.faults
    assert time.process_time() - began < 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab:/,é ", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_nothing_but_a_refusal_comes_of_wrong_types_anywhere(data):
    tree = parsed(EXAMPLE).as_dict()
    here = tree
    while True:
        key = data.draw(st.sampled_from(sorted(here)))
        if not isinstance(here[key], dict) or data.draw(st.booleans()):
            break
        here = here[key]
    here[key] = data.draw(anything)
    try:
        assert isinstance(parsed(json.dumps(tree)), PlanDocument)
    except DocumentRefused as wrong:
        assert wrong.faults


@pytest.mark.parametrize(("span", "is_one"), [("1m", True), ("59s", False), ("1d", True), ("1441m", False)])
def test_a_window_has_bounds(span, is_one):
    text = SMALL + f"guard_metrics: {{p95: {{at_most: 1, window: {span}, query: up}}}}\n"
    if is_one:
        assert parsed(text).guard_metrics[0].window == span
    else:
        assert "write 1m at least, and 1d at most" in refused(text)[0]
