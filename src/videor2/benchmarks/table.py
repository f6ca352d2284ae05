"""The benchmarks as a table: for `videor2 eval --list` and for the documentation."""

from typing import Any

from videor2.benchmarks.registry import benchmarks

INTRO = """# Benchmarks

The eleven benchmarks of arXiv 2511.23478 and `synth`, the embedded world. Each is one file in `videor2/benchmarks/`;
`version` is raised whenever a change of it can change a score. This page is made by
`python -m videor2.benchmarks.table`.

A data root holds one folder per benchmark, named by its slug, as the hub or the authors publish it. Files in the
Video-R1 row layout (`problem`, `options`, `solution`, `path`) are read too, where their name is the benchmark's
(`mvbench.json`, `eval_videomme.json`); they have fewer parts to break a score down by.
`videor2 data validate` checks that every row can be read and that every reference scores 1.
"""


def rows() -> list[dict[str, Any]]:
    """One row per benchmark: name, slug, version, group, kinds, rows, tasks, source, metric, what was checked."""
    return [
        {
            "name": b.name,
            "slug": b.slug,
            "version": b.version,
            "group": b.group,
            "kinds": list(b.kinds),
            "rows": b.rows,
            "optional_tasks": list(b.optional_tasks),
            "paper": b.source.paper,
            "hub": b.source.hub,
            "split": b.source.split,
            "gated": b.source.gated,
            "files": list(dict.fromkeys(ps[0] for layout in b.layouts for ps in layout.files.values())),
            "metric": b.metric,
            "checked": b.checked,
            "broken_rows": dict(b.broken),
        }
        for b in benchmarks()
    ]


def markdown() -> str:
    """The documentation page."""
    lines = [
        INTRO,
        "| benchmark | version | rows | answers | group | source |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows():
        source = f"{row['paper']}; `{row['hub']}` ({row['split']})" if row["hub"] else "`videor2 data synth`"
        gate = f"; gated: {row['gated']}" if row["gated"] else ""
        name = f"{row['name']} (`{row['slug']}`)"
        count = f"{row['rows']:,}" if row["rows"] else "any"
        kinds = ", ".join(row["kinds"])
        lines.append(f"| {name} | {row['version']} | {count} | {kinds} | {row['group']} | {source}{gate} |")
    for row in rows():
        files = ", ".join(f"`{name}`" for name in row["files"][:4]) + (", ..." if len(row["files"]) > 4 else "")
        lines += [
            "",
            f"## {row['name']}",
            "",
            f"- Metric: {row['metric']}",
            f"- Checked: {row['checked']}",
            f"- Files: {files}",
        ]
        if row["optional_tasks"]:
            lines.append(f"- Tasks read only when named: {', '.join(row['optional_tasks'])}")
        lines += [f"- Left out, `{place}`: {reason}" for place, reason in row["broken_rows"].items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(markdown())
