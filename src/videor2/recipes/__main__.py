"""`python -m videor2.recipes NAME` prints the path of a launch config or a recipe, for other programs' arguments."""

import sys

from videor2.errors import InputError
from videor2.recipes import launch_config, recipe


def main(arguments: list[str]) -> int:
    """Print the path; exit code 2 and one line on stderr for a name that there is not."""
    if len(arguments) != 1:
        print("usage: python -m videor2.recipes NAME", file=sys.stderr)
        return 2
    (name,) = arguments
    wrong = []
    for find in (launch_config, recipe):
        try:
            print(find(name))
        except InputError as error:
            wrong.append(str(error))
        else:
            return 0
    print(f"videor2: {'; '.join(wrong)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
