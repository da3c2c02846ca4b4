from gadmin.pages.sides import Side, sides


def test_lines_that_belong_together_stand_beside_each_other() -> None:
    assert sides({"name": "a", "weight": 1, "tags": ["x"]}, {"name": "a", "weight": 2, "tags": ["x", "y"]}) == [
        Side("name: a", "name: a", is_same=True),
        Side("weight: 1", "weight: 2", is_same=False),
        Side("tags:", "tags:", is_same=True),
        Side("- x", "- x", is_same=True),
        Side(None, "- y", is_same=False),
    ]


def test_what_is_new_or_gone_has_one_side() -> None:
    assert sides(None, {"name": "a"}) == [Side(None, "name: a", is_same=False)]
    assert sides({"name": "a"}, None) == [Side("name: a", None, is_same=False)]
