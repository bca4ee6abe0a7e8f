"""GitHub's JSON shapes for accounts, the repository, and the conversation: issues, comments, labels, reactions."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from typing import Final

from bot.local.github.hub import Hub, iso, iso_or_none
from bot.local.github.nouns import Comment, Issue, Json, Label, Reaction, User

REACTIONS: Final = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")
_REPOSITORY_LINKS: Final = {
    "archive_url": "archive/{archive_format}{/ref}",
    "assignees_url": "assignees{/user}",
    "blobs_url": "git/blobs{/sha}",
    "branches_url": "branches{/branch}",
    "collaborators_url": "collaborators{/collaborator}",
    "comments_url": "comments{/number}",
    "commits_url": "commits{/sha}",
    "compare_url": "compare/{base}...{head}",
    "contents_url": "contents/{+path}",
    "contributors_url": "contributors",
    "deployments_url": "deployments",
    "downloads_url": "downloads",
    "events_url": "events",
    "forks_url": "forks",
    "git_commits_url": "git/commits{/sha}",
    "git_refs_url": "git/refs{/sha}",
    "git_tags_url": "git/tags{/sha}",
    "hooks_url": "hooks",
    "issue_comment_url": "issues/comments{/number}",
    "issue_events_url": "issues/events{/number}",
    "issues_url": "issues{/number}",
    "keys_url": "keys{/key_id}",
    "labels_url": "labels{/name}",
    "languages_url": "languages",
    "merges_url": "merges",
    "milestones_url": "milestones{/number}",
    "notifications_url": "notifications",
    "pulls_url": "pulls{/number}",
    "releases_url": "releases{/id}",
    "stargazers_url": "stargazers",
    "statuses_url": "statuses/{sha}",
    "subscribers_url": "subscribers",
    "subscription_url": "subscription",
    "tags_url": "tags",
    "teams_url": "teams",
    "trees_url": "git/trees{/sha}",
}


def node_id(kind: str, number: int) -> str:
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def user_json(hub: Hub, user: User) -> Json:
    api = f"{hub.api_root}/users/{user.login}"
    return {
        "login": user.login,
        "id": user.id,
        "node_id": node_id("User", user.id),
        "avatar_url": f"{hub.web_url}/avatars/{user.id}",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{hub.web_url}/{user.login}",
        **{f"{name}_url": f"{api}/{name}" for name in ("followers", "subscriptions", "organizations", "repos", "received_events")},
        "following_url": f"{api}/following{{/other_user}}",
        "gists_url": f"{api}/gists{{/gist_id}}",
        "starred_url": f"{api}/starred{{/owner}}{{/repo}}",
        "events_url": f"{api}/events{{/privacy}}",
        "type": user.kind,
        "site_admin": False,
    }


def account_json(hub: Hub, login: str) -> Json | None:
    user = hub.user(login)
    return user_json(hub, user) if user else None


def full_user_json(hub: Hub, user: User) -> Json:
    """What GET /user and GET /users/… answer."""
    return {
        **user_json(hub, user),
        **dict.fromkeys(("name", "company", "location", "email", "hireable", "bio", "twitter_username")),
        "blog": "",
        **dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0),
        "created_at": iso(user.created_at),
        "updated_at": iso(user.created_at),
    }


def private_user_json(hub: Hub, user: User) -> Json:
    counts = ("private_gists", "total_private_repos", "owned_private_repos", "disk_usage", "collaborators")
    return {**full_user_json(hub, user), **dict.fromkeys(counts, 0), "two_factor_authentication": True}


def owner_json(hub: Hub) -> Json:
    owner = hub.user(hub.owner) or User(1, hub.owner, "admin", "User", 0.0)
    return user_json(hub, owner)


def repository_json(hub: Hub, permission: str | None = None) -> Json:
    """The repository; with `permission`, also what the asker may do (as GET /repos/… answers)."""
    created = iso(min((user.created_at for user in hub.store.users.values()), default=0.0))
    open_issues = sum(issue.state == "open" for issue in hub.store.issues.values())
    shape: Json = {
        "id": 1,
        "node_id": node_id("Repository", 1),
        "name": hub.name,
        "full_name": hub.full_name,
        "private": True,
        "visibility": "private",
        "owner": owner_json(hub),
        "html_url": hub.html,
        "description": None,
        "fork": False,
        "url": hub.api,
        **{name: f"{hub.api}/{path}" for name, path in _REPOSITORY_LINKS.items()},
        "git_url": f"{hub.html}.git",
        "ssh_url": f"{hub.html}.git",
        "clone_url": f"{hub.html}.git",
        "svn_url": hub.html,
        **dict.fromkeys(("homepage", "language", "mirror_url", "license"), None),
        **dict.fromkeys(("forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "size"), 0),
        "open_issues": open_issues,
        "open_issues_count": open_issues,
        "default_branch": hub.default_branch,
        "has_issues": True,
        **dict.fromkeys(("has_projects", "has_downloads", "has_wiki", "has_pages", "has_discussions"), False),
        **dict.fromkeys(("archived", "disabled", "is_template", "allow_forking"), False),
        "web_commit_signoff_required": False,
        "topics": [],
        "custom_properties": {},
        **dict.fromkeys(("created_at", "updated_at", "pushed_at"), created),
    }
    if permission is None:
        return shape
    held = {"admin": 3, "write": 2, "read": 1}.get(permission, 0)
    return {
        **shape,
        "permissions": {"admin": held >= 3, "maintain": held >= 3, "push": held >= 2, "triage": held >= 2, "pull": held >= 1},
        "network_count": 0,
        "subscribers_count": 0,
        "allow_merge_commit": True,
        "allow_squash_merge": True,
        "allow_rebase_merge": True,
        "allow_auto_merge": False,
        "delete_branch_on_merge": False,
    }


def label_json(hub: Hub, label: Label) -> Json:
    return {
        "id": label.id,
        "node_id": node_id("Label", label.id),
        "url": f"{hub.api}/labels/{label.name}",
        "name": label.name,
        "color": label.color,
        "default": False,
        "description": label.description,
    }


def labels_json(hub: Hub, names: Sequence[str]) -> list[Json]:
    return [label_json(hub, label) for name in names if (label := hub.store.label_named(name))]


def association(hub: Hub, login: str) -> str:
    user = hub.user(login)
    if login.lower() == hub.owner.lower():
        return "OWNER"
    return "COLLABORATOR" if user and user.permission in ("admin", "write") else "NONE"


def rollup_json(hub: Hub, subject: tuple[str, int], url: str) -> Json:
    counts = Counter(reaction.content for reaction in hub.store.reactions_to(subject))
    return {"url": f"{url}/reactions", "total_count": counts.total(), **{content: counts[content] for content in REACTIONS}}


def issue_json(hub: Hub, issue: Issue) -> Json:
    """An issue; a pull request too, as GitHub lists both, then with the `pull_request` key."""
    url = f"{hub.api}/issues/{issue.number}"
    pull = hub.store.pulls.get(issue.number)
    html = f"{hub.html}/{'pull' if pull else 'issues'}/{issue.number}"
    shape: Json = {
        "id": issue.id,
        "node_id": node_id("Issue", issue.id),
        "url": url,
        "repository_url": hub.api,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": html,
        "number": issue.number,
        "state": issue.state,
        "state_reason": issue.state_reason,
        "title": issue.title,
        "body": issue.body,
        "user": account_json(hub, issue.author),
        "labels": labels_json(hub, issue.labels),
        **dict.fromkeys(("assignee", "milestone", "active_lock_reason", "performed_via_github_app")),
        "assignees": [],
        "locked": False,
        "comments": len(hub.store.comments_of(issue.number)),
        "closed_at": iso_or_none(issue.closed_at),
        "closed_by": account_json(hub, issue.closed_by) if issue.closed_by else None,
        "created_at": iso(issue.created_at),
        "updated_at": iso(issue.updated_at),
        "author_association": association(hub, issue.author),
        "reactions": rollup_json(hub, ("issue", issue.number), url),
    }
    if pull:
        shape["draft"] = pull.draft
        shape["pull_request"] = {
            "url": f"{hub.api}/pulls/{issue.number}",
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "merged_at": iso_or_none(pull.merged_at),
        }
    return shape


def comment_json(hub: Hub, comment: Comment) -> Json:
    url = f"{hub.api}/issues/comments/{comment.id}"
    kind = "pull" if comment.issue in hub.store.pulls else "issues"
    return {
        "id": comment.id,
        "node_id": node_id("IssueComment", comment.id),
        "url": url,
        "html_url": f"{hub.html}/{kind}/{comment.issue}#issuecomment-{comment.id}",
        "issue_url": f"{hub.api}/issues/{comment.issue}",
        "user": account_json(hub, comment.author),
        "body": comment.body,
        "created_at": iso(comment.created_at),
        "updated_at": iso(comment.updated_at),
        "author_association": association(hub, comment.author),
        "performed_via_github_app": None,
        "reactions": rollup_json(hub, ("comment", comment.id), url),
    }


def reaction_json(hub: Hub, reaction: Reaction) -> Json:
    return {
        "id": reaction.id,
        "node_id": node_id("Reaction", reaction.id),
        "user": account_json(hub, reaction.author),
        "content": reaction.content,
        "created_at": iso(reaction.created_at),
    }
