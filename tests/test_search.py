"""What one types into the search, rightly or not, in a real browser."""

import pytest


@pytest.mark.parametrize(
    "typed, meant, page",
    [
        ("attenton", "attention", "01_what_attention_is"),
        ("sofmtax mask", "softmax mask", "06_masks_and_batches"),
        ("atention", "attention", "01_what_attention_is"),  # a part of "latention"
        ("botleneck", "bottleneck", "11_encoder_decoder"),
        ("注义力", "注意力", "01_what_attention_is"),
    ],
)
def test_search_forgives_a_typing_error_and_says_so(site, tab, typed, meant, page):
    tab.goto(f"{site}/search.html?q={typed}", wait_until="load")
    tab.get_by_text("Search finished").wait_for()
    said = tab.locator("#search-results .mistyped").inner_text()
    assert said == f"No page has “{typed}”. These have “{meant}”:"
    assert tab.locator(f"#search-results li a[href*='{page}']").count()


@pytest.mark.parametrize(
    "words, said",
    [
        ("xylophone", "No page has “xylophone”, nor a word like it."),
        ("大象", "No page has “大象”, nor a word like it."),
        ("Nadaraya nbgrader", "No page has all the words of “Nadaraya nbgrader”."),
    ],
)
def test_search_says_what_it_did_not_find(site, tab, words, said):
    tab.goto(f"{site}/search.html?q={words}", wait_until="load")
    tab.get_by_text(said, exact=True).wait_for()
    assert not tab.locator("#search-results li, #search-results .mistyped").count()


@pytest.mark.parametrize(
    "words", ["softmax", "dot-product", "seq2seq", "Bahdanau 2015"]
)
def test_search_takes_what_pages_have_as_it_is(site, tab, words):
    tab.goto(f"{site}/search.html?q={words}", wait_until="load")
    tab.get_by_text("Search finished").wait_for()
    assert not tab.locator("#search-results .mistyped").count()
