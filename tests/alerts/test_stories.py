"""The evaluator against the corpus: exactly the transitions that a person would want, at exactly the right minute."""

import pytest
from alerts.story import Story, as_told, stories, tell


@pytest.mark.parametrize("story", stories(), ids=lambda story: story.name)
def test_a_story_has_exactly_the_transitions_that_it_tells(story: Story) -> None:
    assert [as_told(one) for one in tell(story)] == story.expected, story.title
