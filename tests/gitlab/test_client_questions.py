"""What the client asks, in how many calls, and what comes back."""

from __future__ import annotations

import pytest

from gitlab_simulator import Simulator
from rollouts.gitlab import BadAnswer, Forbidden, GateRecord, GitLab, Gone, Unreachable


def many_issues(simulator: Simulator, count: int) -> None:
    with simulator.state.change():
        simulator.state.add_project("acme/sub group/app".replace(" ", "-"))
        for number in range(1, count + 1):
            simulator.state.add_issue("acme/sub-group/app", f"Issue {number}", iid=number)


def test_250_issues_take_3_calls(simulator: Simulator, gitlab: GitLab) -> None:
    many_issues(simulator, 260)
    records = gitlab.issues("acme/sub-group/app", range(1, 251))
    assert sorted(issue.iid for issue in records) == list(range(1, 251))
    assert gitlab.calls == 3 == len(simulator.requests)
    assert {request.path for request in simulator.requests} == {"/api/v4/projects/acme/sub-group/app/issues"}
    assert [len(request.query["iids"]) for request in simulator.requests] == [100, 100, 50]
    assert all(request.query["scope"] == ["all"] for request in simulator.requests)


def test_no_issues_take_no_call(gitlab: GitLab) -> None:
    assert gitlab.issues("acme/app", []) == []
    assert gitlab.calls == 0


def test_the_same_issue_asked_twice_is_asked_once(simulator: Simulator, gitlab: GitLab) -> None:
    many_issues(simulator, 3)
    assert [issue.iid for issue in gitlab.issues("acme/sub-group/app", [2, 2, 2])] == [2]
    assert simulator.requests[0].query["iids"] == ["2"]


def test_issues_that_are_gone_are_left_out(simulator: Simulator, gitlab: GitLab) -> None:
    many_issues(simulator, 3)
    simulator.state.delete_issue("acme/sub-group/app", 2)
    assert sorted(issue.iid for issue in gitlab.issues("acme/sub-group/app", [1, 2, 3, 99])) == [1, 3]


def test_a_project_may_be_named_by_its_id(simulator: Simulator, gitlab: GitLab) -> None:
    many_issues(simulator, 1)
    project_id = gitlab.project_id("acme/sub-group/app")
    assert project_id is not None
    assert gitlab.issues(project_id, [1])[0].project_id == project_id


def test_an_unknown_project_is_gone(gitlab: GitLab) -> None:
    with pytest.raises(Gone):
        gitlab.issues("acme/nothing", [1])


@pytest.mark.parametrize("name", ["", ".", "..", " / ", "a\nb"])
def test_what_cannot_be_a_project_is_gone_without_a_call(gitlab: GitLab, name: str) -> None:
    with pytest.raises(Gone):
        gitlab.project_flags(name)
    assert gitlab.calls == 0


def test_a_project_path_is_one_segment_however_it_is_written(simulator: Simulator, gitlab: GitLab) -> None:
    with pytest.raises(Gone):
        gitlab.project_flags("acme/app/../../features?x=1#y")
    assert simulator.requests[0].path == "/api/v4/projects/acme/app/../../features?x=1#y/feature_flags"


def test_a_confidential_issue_is_left_out_for_a_reader(simulator: Simulator) -> None:
    simulator.state.add_project("acme/app")
    simulator.state.add_issue("acme/app", "Secret", iid=1, confidential=True)
    simulator.state.add_issue("acme/app", "Open", iid=2)
    reader = GitLab(simulator.url, simulator.reader_token)
    assert [issue.title for issue in reader.issues("acme/app", [1, 2])] == ["Open"]


def test_an_issue_comes_with_all_that_the_portal_follows(simulator: Simulator, gitlab: GitLab) -> None:
    state = simulator.state
    project_id = state.add_project("acme/app")
    state.add_issue(
        "acme/app",
        "Rollout plan",
        iid=11,
        state="closed",
        description="- [x] one\n* [ ] two\n1. [X] three\n- [~] does not apply\n- [] none",
        labels=["type::feature", "AI"],
        assignees=["alice", "bob"],
        author="mia",
        confidential=True,
        notes_count=4,
        due_date="2026-12-01",
    )
    state.add_note("acme/app", 11, "Looks good", author="alice")
    (issue,) = gitlab.issues("acme/app", [11])
    assert (issue.project_id, issue.iid, issue.title, issue.state) == (project_id, 11, "Rollout plan", "closed")
    assert issue.labels == ("AI", "type::feature")
    assert issue.assignees == ("alice", "bob")
    assert issue.author == "mia"
    assert issue.confidential
    assert (issue.task_done, issue.task_count, issue.notes_count) == (2, 3, 5)
    assert issue.web_url == f"{simulator.url}/acme/app/-/issues/11"
    assert str(issue.due_date) == "2026-12-01"
    assert issue.closed_at is not None
    assert issue.updated_at is not None
    assert issue.updated_at.tzinfo is not None


def test_features_take_one_call_and_keep_every_gate(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.state.add_user("alice", id=42)
    simulator.state.add_flag_definition("use_it", group="group::ai coding", milestone="17.10")
    simulator.state.set_feature("use_it", 12.5, key="percentage_of_actors")
    simulator.state.set_feature("use_it", True, user="alice", feature_group="acme_team_members")
    for number in range(150):
        simulator.state.set_feature(f"flag_{number}", True)
    features = {feature.name: feature for feature in gitlab.features()}
    assert len(features) == 151
    assert gitlab.calls == 1
    assert set(features["use_it"].gates) == {
        GateRecord("boolean", False),
        GateRecord("expression", None),
        GateRecord("percentage_of_actors", 12.5),
        GateRecord("actors", ("User:42",)),
        GateRecord("groups", ("acme_team_members",)),
    }
    assert features["use_it"].state == "conditional"
    assert features["use_it"].definition is not None
    assert features["use_it"].definition.group == "group::ai coding"
    assert features["flag_0"].definition is None


def test_definitions_hold_flags_that_were_never_set(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.state.add_flag_definition(
        "kill_switch", type="ops", default_enabled=True, rollout_issue_url="https://gitlab.example.com/a/b/-/issues/1"
    )
    (definition,) = gitlab.feature_definitions()
    assert (definition.name, definition.type, definition.default_enabled) == ("kill_switch", "ops", True)
    assert definition.rollout_issue_url.endswith("/a/b/-/issues/1")
    assert gitlab.features() == []


def test_project_flags_come_from_all_pages(simulator: Simulator, gitlab: GitLab) -> None:
    state = simulator.state
    state.add_project("acme/app")
    listed = state.add_user_list("acme/app", "friends", "ann, bob,,cleo")
    with state.change():
        for number in range(203):
            state.add_project_flag("acme/app", f"flag_{number:03}")
    state.set_project_flag(
        "acme/app",
        "flag_202",
        active=False,
        strategies=[
            {
                "name": "flexibleRollout",
                "parameters": {"groupId": "default", "rollout": "25", "stickiness": "userId"},
                "scopes": [{"environment_scope": "production"}, {"environment_scope": "review/*"}],
            },
            {"name": "gitlabUserList", "user_list_id": listed["id"], "scopes": [{"environment_scope": "*"}]},
        ],
    )
    flags = {flag.name: flag for flag in gitlab.project_flags("acme/app")}
    assert len(flags) == 203
    assert gitlab.calls == 3
    assert not flags["flag_202"].active
    rollout, friends = flags["flag_202"].strategies
    assert rollout.parameters == {"groupId": "default", "rollout": "25", "stickiness": "userId"}
    assert rollout.scopes == ("production", "review/*")
    assert friends.user_xids == ("ann", "bob", "cleo")


def test_names_become_ids(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.state.add_user("alice", id=42)
    group, project = simulator.state.add_group("acme/code"), simulator.state.add_project("acme/code/app")
    assert gitlab.user_id("Alice") == 42
    assert gitlab.user_id("nobody.here") is None
    assert gitlab.group_id("acme/code") == group
    assert gitlab.group_id("acme/none") is None
    assert gitlab.project_id("acme/code/app") == project
    assert gitlab.project_id("acme/none") is None


def test_a_reader_is_told_what_features_need(simulator: Simulator) -> None:
    with pytest.raises(Forbidden, match="administrator's token") as refused:
        GitLab(simulator.url, simulator.reader_token).features()
    assert "admin_mode" in refused.value.needs


def test_where_admin_mode_is_on_an_administrators_token_without_it_is_told_so(simulator: Simulator) -> None:
    simulator.state.add_token("plain", "root", scopes=("api",))
    assert GitLab(simulator.url, "plain").features() == []
    simulator.state.admin_mode = True
    with pytest.raises(Forbidden) as refused:
        GitLab(simulator.url, "plain").features()
    assert "admin_mode" in refused.value.needs
    assert GitLab(simulator.url, simulator.token).features() == []


def test_a_server_that_ignores_iids_is_asked_no_further_than_needed(simulator: Simulator, gitlab: GitLab) -> None:
    body = b'[{"iid": 3, "title": "c", "state": "opened"}, {"iid": 1, "title": "a", "state": "closed"}]'
    link = f'<{simulator.url}/api/v4/projects/1/issues?page=2>; rel="next"'
    simulator.fail(how="not_json", body=body, headers={"Link": link})
    assert [issue.iid for issue in gitlab.issues(1, [1])] == [1]
    assert gitlab.calls == 1


def test_pages_stay_on_our_host_whatever_the_link_says(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.state.add_project("acme/app")
    simulator.state.add_project_flag("acme/app", "second")
    body = b'[{"name": "first", "active": true}]'
    link = {"Link": '<https://internal.example:9/api/v4/elsewhere?page=1&per_page=100>; rel="next"'}
    simulator.fail(how="not_json", body=body, headers=link, times=1)
    assert [flag.name for flag in gitlab.project_flags("acme/app")] == ["first", "second"]
    assert {request.path for request in simulator.requests} == {"/api/v4/projects/acme/app/feature_flags"}


def test_pages_are_found_without_link_headers(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.state.add_project("acme/app")
    simulator.fail(how="not_json", body=b'[{"name": "first", "active": true}]', headers={"X-Next-Page": "2"}, times=1)
    assert [flag.name for flag in gitlab.project_flags("acme/app")] == ["first"]
    assert simulator.requests[1].query["page"] == ["2"]


def test_pages_that_lead_in_a_circle_end(simulator: Simulator, gitlab: GitLab) -> None:
    link = {"Link": f'<{simulator.url}/x?page=1>; rel="next"'}
    simulator.fail(how="not_json", body=b"[]", headers=link)
    with pytest.raises(BadAnswer, match="circle"):
        gitlab.project_flags("acme/app")
    assert gitlab.calls < 5


def test_a_list_that_is_none_is_a_bad_answer(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.fail(how="not_json", body=b'{"message": "hello"}')
    with pytest.raises(BadAnswer) as problem:
        gitlab.features()
    assert problem.value.field == "features"


def test_a_bad_row_is_named_and_spoils_no_other(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.fail(
        how="not_json",
        times=1,
        body=b'[{"name": "good", "gates": []}, {"name": "bad", "gates": [{"key": "boolean", "value": "yes"}]}]',
    )
    assert [feature.name for feature in gitlab.features()] == ["good"]
    assert [problem.field for problem in gitlab.unread] == ["features[1].gates[0].value"]
    gitlab.features()
    assert gitlab.unread == []


def test_where_every_row_is_bad_the_answer_is(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.fail(how="not_json", body=b'[{"name": "bad", "gates": [{"key": "boolean", "value": "yes"}]}, 7]')
    with pytest.raises(BadAnswer) as problem:
        gitlab.features()
    assert problem.value.field == "features[0].gates[0].value"


def test_a_plainer_server_may_leave_much_out(simulator: Simulator, gitlab: GitLab) -> None:
    simulator.fail(how="not_json", body=b'[{"iid": 1, "title": "a", "state": "opened"}]')
    (issue,) = gitlab.issues("acme/app", [1])
    assert (issue.project_id, issue.labels, issue.updated_at, issue.confidential) == (None, (), None, False)


def test_a_path_prefix_is_kept(simulator: Simulator) -> None:
    gitlab = GitLab(f"{simulator.url}/gitlab/", simulator.token)
    assert gitlab.url == f"{simulator.url}/gitlab"
    with pytest.raises(Gone):
        gitlab.features()
    assert simulator.requests[0].path == "/gitlab/api/v4/features"


@pytest.mark.parametrize(
    "url", ["", "gitlab.example.com", "ftp://gitlab.example.com", "http://", "http://[bad", "http://a:b"]
)
def test_a_url_that_is_none_is_said_at_once(url: str) -> None:
    with pytest.raises(Unreachable, match=r"https://gitlab\.example\.com"):
        GitLab(url, "token")
