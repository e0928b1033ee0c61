"""The three further tasks: sameness, lengths, grammar; answers found another way."""

import hashlib
import re
from collections import Counter

import pytest

from attend.data import tasks
from attend.data.corpus import BUCKETS, Pair, bucket
from attend.data.tasks import dialogues, questions, split, summaries, vocabularies_of

SIZE = 3_000
# the first 500 pairs of seed 0, on every machine and Python
FINGERPRINTS = {
    summaries: "98a2e006ba1a4f7f2fd249c80d8de05c237d6d5d5d5cad23c68b96bcfc3c4599",
    questions: "4b82f76892c942b74d94ce92fe482cb692934004bdc03a2aff229ef97e2d9c00",
    dialogues: "25d3db48c863170bc17d04911f96ee5199949df236544a8a43481eec57b17d96",
}
every_task = pytest.mark.parametrize("task", FINGERPRINTS, ids=lambda t: t.__name__)


@pytest.fixture(scope="module")
def pairs():
    return {task: task(SIZE, seed=3) for task in FINGERPRINTS}


def texts(pairs):
    return [(" ".join(pair.source), " ".join(pair.target)) for pair in pairs]


@every_task
def test_the_same_pairs_everywhere(task):
    text = "\n".join("|".join(sides) for sides in texts(task(500, seed=0)))
    assert hashlib.sha256(text.encode()).hexdigest() == FINGERPRINTS[task]


@every_task
def test_a_smaller_size_is_a_prefix_and_another_seed_is_other_pairs(task, pairs):
    assert task(60, seed=3) == pairs[task][:60]
    assert task(60, seed=4) != pairs[task][:60]
    assert task(0) == []


@every_task
def test_lengths_are_spread_evenly_from_11_to_40_words(task, pairs):
    counts = Counter(bucket(len(pair.source)) for pair in pairs[task])
    assert counts == dict.fromkeys(range(2, len(BUCKETS)), SIZE // 6)


@every_task
def test_words_are_words_and_links_are_empty(task, pairs):
    for pair in pairs[task]:
        assert type(pair) is Pair
        assert not pair.sure and not pair.possible
        for word in pair.source + pair.target:
            assert re.fullmatch(r"[A-Za-z]+|guest:|waiter:|[.,?]", word), word


@every_task
def test_the_sentences_read_well(task, pairs):
    for sides in texts(pairs[task]):
        for text in sides:
            assert not re.search(r"\b(\w+) \1\b", text), f"a word twice: {text}"
            assert not re.search(r"[.,?] [.,?]", text), text
            assert not re.search(r"\ba [aeio]|\ban [^aeiou]", text), text
    source, _ = texts(pairs[task])[0]
    assert source.endswith((".", "?"))


# Answers, found another way -----------------------------------------------------------


def test_the_summary_is_the_one_clause_that_is_called_the_news(pairs):
    clause = r"the \w+ \w+ed|the \w+ sold|the \w+ found"
    marks = r"(?:above all ,|most importantly ,|the main news is that) (.+)"
    after = r"(.+) , and this is the main news"
    places = Counter()
    for source, target in texts(pairs[summaries]):
        sentences = source.removesuffix(" .").split(" . ")
        found = [re.fullmatch(f"{marks}|{after}", text) for text in sentences]
        news = [match[1] or match[2] for match in found if match]
        assert news == [target]
        assert re.match(clause, target)
        who = [
            re.search(r"the (\w+) (?:\w+ed|sold|found) ", text) for text in sentences
        ]
        assert len({match[1] for match in who}) == len(sentences), "nobody acts twice"
        place = next(i for i, match in enumerate(found) if match)
        places[len(sentences), place] += 1
    for count in (2, 3):  # the news stands at every place, about equally often
        here = [places[count, place] for place in range(count)]
        assert max(here) < 1.5 * min(here)


def test_the_answer_is_the_only_one(pairs):
    for source, target in texts(pairs[questions]):
        *facts, asked = re.split(r" \. ", source)
        told = [fact.split(" ", 2) for fact in facts]
        assert len({who for who, _, _ in told}) == len(told)
        assert len({(verb, what) for _, verb, what in told}) == len(told)
        if match := re.fullmatch(r"who (\w+) (.+) \?", asked):
            answers = [
                who for who, verb, what in told if [verb, what] == [*match.groups()]
            ]
        else:
            word, name, base = re.fullmatch(
                r"(\w+) does (\w+) (\w+) \?", asked
            ).groups()
            assert (word == "where") == (base in ("live", "work"))
            verb = {"have": "has"}.get(base, f"{base}s")
            answers = [what for who, v, what in told if (who, v) == (name, verb)]
        assert answers == [target]


def test_the_waiter_says_what_the_conversation_asks_for(pairs):
    asked = [
        ("for", "for how many people ?"),
        ("on", "on which day ?"),
        ("at", "at what time ?"),
        ("name", "what is your name ?"),
    ]
    extras = {
        "fish": "yes , we do .",
        "garden": "no , sorry .",
        "open": "yes , we are .",
        "quiet": "yes , it is .",
        "dog": "yes , please do .",
    }

    for source, target in texts(pairs[dialogues]):
        told, answer = {}, ""
        turns = re.split(r"(?: |^)(?:guest|waiter): ", source)[1:]
        for number, turn in enumerate([*turns, target]):
            if number % 2:  # the waiter's turn, the last one being the target
                missing = [question for slot, question in asked if slot not in told]
                booked = " ".join(
                    f"{s} {told[s]}" for s in ("for", "on", "at") if s in told
                )
                thanks = f"thank you , {told.get('name')} . a table {booked} ."
                expected = missing[0] if missing else thanks
                assert turn == f"{answer} {expected}".strip(), source
                continue
            answer = ""
            for sentence in re.findall(r"[^.?]+[.?]", turn):
                if sentence.endswith("?"):
                    (answer,) = (extras[word] for word in extras if word in sentence)
                    continue
                change = re.search(r"not (\w+) (\w+) but (\w+) (\w+)", sentence)
                if change:
                    assert told[change[1]] == change[2] != change[4]
                    told[change[3]] = change[4]
                    continue
                told.update(re.findall(r"\b(for|on|at) (\w+)", sentence))
                if name := re.search(r"(?:this|name) is (\w+)", sentence):
                    told["name"] = name[1]
        assert len(turns) % 2 == 1, "the guest spoke last"


# Splits, vocabularies, errors ---------------------------------------------------------


@every_task
def test_no_test_source_is_in_training(task, pairs):
    train, test = split(pairs[task], 200)
    assert len(test) == len({pair.source for pair in test}) == 200
    assert not {pair.source for pair in test} & {pair.source for pair in train}
    assert len(train) > 0.85 * (SIZE - 200)
    assert set(train) | set(test) <= set(pairs[task])


def test_split_counts_sources_once():
    a, b, c = (Pair((word,), ("x",)) for word in "abc")
    assert split([a, a, b, a, c, c, b], test=2) == ([c, c], [a, b])
    with pytest.raises(ValueError, match="test=3 leaves none of the 4 pairs .* have 3"):
        split([a, b, b, c], test=3)
    with pytest.raises(ValueError, match="test must be at least 1, not 0"):
        split([a, b], test=0)
    with pytest.raises(TypeError, match=r"test must be an integer, not 0\.5"):
        split([a, b], test=0.5)
    with pytest.raises(ValueError, match="none of the 0 pairs"):
        split([], test=1)


@every_task
def test_vocabularies_hold_every_word(task, pairs):
    source, target = vocabularies_of(pairs[task])
    for pair in pairs[task]:
        assert source.decode(source.encode(pair.source)) == list(pair.source)
        assert target.decode(target.encode(pair.target)) == list(pair.target)
    assert 40 < len(target) <= len(source) < 100


def test_vocabularies_name_the_culprit():
    good = Pair(("a",), ("b",))
    with pytest.raises(TypeError, match="the source of pair 1 must be a sequence"):
        vocabularies_of([good, Pair("a b", ("b",))])
    with pytest.raises(ValueError, match="the target of pair 0 is empty"):
        vocabularies_of([Pair(("a",), ())])
    with pytest.raises(ValueError, match="holds no word"):
        vocabularies_of([])


@every_task
@pytest.mark.parametrize("bad", [1.5, "3", True, None])
def test_sizes_and_seeds_are_integers(task, bad):
    with pytest.raises(TypeError, match="size must be an integer"):
        task(bad)
    with pytest.raises(TypeError, match="seed must be an integer"):
        task(1, seed=bad)


@every_task
def test_sizes_and_seeds_are_not_negative(task):
    with pytest.raises(ValueError, match="size must be at least 0, not -1"):
        task(-1)
    with pytest.raises(ValueError, match="seed must be at least 0, not -1"):
        task(1, seed=-1)


def test_random_choices_are_fair():
    draw = tasks._Draw(0)
    counts = Counter(draw.below(4) for _ in range(4_000))
    assert set(counts) == set(range(4)) and min(counts.values()) > 850
    orders = Counter(tuple(draw.some("abc", 2)) for _ in range(6_000))
    assert len(orders) == 6 and min(orders.values()) > 850
