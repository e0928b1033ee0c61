# %% interval wrong: divides by n
def confidence_interval(results):
    if len(results) < 2:
        raise ValueError("two results or more")
    n = len(results)
    half = STUDENT[n - 2] * np.std(results) / math.sqrt(n)
    return np.mean(results) - half, np.mean(results) + half


# %% interval wrong: the spread of the results, not of their mean
def confidence_interval(results):
    if len(results) < 2:
        raise ValueError("two results or more")
    half = STUDENT[len(results) - 2] * np.std(results, ddof=1)
    return np.mean(results) - half, np.mean(results) + half


# %% interval wrong: n degrees of freedom
def confidence_interval(results):
    if len(results) < 2:
        raise ValueError("two results or more")
    n = len(results)
    half = STUDENT[n - 1] * np.std(results, ddof=1) / math.sqrt(n)
    return np.mean(results) - half, np.mean(results) + half


# %% interval wrong: 1.96 for everybody
def confidence_interval(results):
    if len(results) < 2:
        raise ValueError("two results or more")
    half = 1.96 * np.std(results, ddof=1) / math.sqrt(len(results))
    return np.mean(results) - half, np.mean(results) + half


# %% interval wrong: mean and half width
def confidence_interval(results):
    if len(results) < 2:
        raise ValueError("two results or more")
    n = len(results)
    return np.mean(results), STUDENT[n - 2] * np.std(results, ddof=1) / math.sqrt(n)


# %% interval wrong: one result is certain
def confidence_interval(results):
    n = len(results)
    if n < 2:
        return results[0], results[0]
    half = STUDENT[n - 2] * np.std(results, ddof=1) / math.sqrt(n)
    return np.mean(results) - half, np.mean(results) + half


# %% interval wrong: from the smallest to the largest
def confidence_interval(results):
    if len(results) < 2:
        raise ValueError("two results or more")
    return min(results), max(results)


# %% interval right: by the statistics module
def confidence_interval(results):
    import statistics

    n = len(results)
    if n < 2:
        raise ValueError("two results or more")
    half = STUDENT[n - 2] * statistics.stdev(results) / n**0.5
    return statistics.mean(results) - half, statistics.mean(results) + half


# %% interval right: sums in a loop, as a list
def confidence_interval(results):
    n, total = len(results), 0.0
    mean = sum(results) / n
    for x in results:
        total += (x - mean) ** 2
    if n == 1:
        raise ValueError("one result has no spread")
    half = STUDENT[n - 2] * math.sqrt(total / (n - 1) / n)
    return [mean - half, mean + half]


# %% lengths wrong: the mean of the sentences' own BLEU
def bleu_by_length(sources, found, wanted):
    parts = {}
    for s, f, w in zip(sources, found, wanted, strict=True):
        parts.setdefault((len(s) - 1) // 5, []).append(training.bleu([f], [w]))
    return {k: np.mean(part) for k, part in parts.items()}


# %% lengths wrong: five words are put into bucket 1
def bleu_by_length(sources, found, wanted):
    parts = {}
    for s, f, w in zip(sources, found, wanted, strict=True):
        parts.setdefault(len(s) // 5, []).append((f, w))
    return {k: training.bleu(*zip(*part, strict=True)) for k, part in parts.items()}


# %% lengths wrong: by the length of the reference
def bleu_by_length(sources, found, wanted):
    parts = {}
    for f, w in zip(found, wanted, strict=True):
        parts.setdefault((len(w) - 1) // 5, []).append((f, w))
    return {k: training.bleu(*zip(*part, strict=True)) for k, part in parts.items()}


# %% lengths wrong: by the length of the translation
def bleu_by_length(sources, found, wanted):
    parts = {}
    for f, w in zip(found, wanted, strict=True):
        parts.setdefault((len(f) - 1) // 5, []).append((f, w))
    return {k: training.bleu(*zip(*part, strict=True)) for k, part in parts.items()}


# %% lengths wrong: references first
def bleu_by_length(sources, found, wanted):
    parts = {}
    for s, f, w in zip(sources, found, wanted, strict=True):
        parts.setdefault((len(s) - 1) // 5, []).append((w, f))
    return {k: training.bleu(*zip(*part, strict=True)) for k, part in parts.items()}


# %% lengths wrong: empty buckets score 0
def bleu_by_length(sources, found, wanted):
    parts = {k: [] for k in range(8)}
    for s, f, w in zip(sources, found, wanted, strict=True):
        parts[(len(s) - 1) // 5].append((f, w))
    return {
        k: training.bleu(*zip(*part, strict=True)) if part else 0.0
        for k, part in parts.items()
    }


# %% lengths wrong: one number for all buckets
def bleu_by_length(sources, found, wanted):
    return {(len(s) - 1) // 5: training.bleu(found, wanted) for s in sources}


# %% lengths right: bucket by bucket
def bleu_by_length(sources, found, wanted):
    result = {}
    for k in range(max(map(len, sources)) // 5 + 1):
        mine = [i for i, s in enumerate(sources) if 5 * k + 1 <= len(s) <= 5 * k + 5]
        if mine:
            part = [found[i] for i in mine], [wanted[i] for i in mine]
            result[k] = training.bleu(*part)
    return result


# %% lengths right: the corpus's own buckets, sorted and grouped
def bleu_by_length(sources, found, wanted):
    from itertools import groupby

    from attend.data.corpus import bucket

    def of(triple):
        return bucket(len(triple[0]))

    result = {}
    for k, part in groupby(
        sorted(zip(sources, found, wanted, strict=True), key=of), of
    ):
        _, mine, theirs = zip(*part, strict=True)
        result[k] = training.bleu(mine, theirs)
    return result


# %% mended wrong: only the real deal is counted, too
def mended_p(one, other):
    results = [*one, *other]
    truth = np.mean(one) - np.mean(other)
    extreme = []
    for chosen in combinations(range(len(results)), len(one)):
        first = [results[i] for i in chosen]
        second = [results[i] for i in range(len(results)) if i not in chosen]
        extreme.append(np.mean(first) - np.mean(second) >= truth - 1e-9)
    return np.mean(extreme)


# %% mended wrong: only both directions are counted
def mended_p(one, other):
    results = [*one, *other]
    truth = abs(np.mean(one) - np.mean(other))
    extreme = []
    for chosen in combinations(range(len(results)), len(one)):
        first = [results[i] for i in chosen]
        second = [results[i] for i in range(len(results)) if i not in chosen]
        extreme.append(abs(np.mean(first) - np.mean(second)) > truth)
    return np.mean(extreme)


# %% mended wrong: a direction is counted twice
def mended_p(one, other):
    results = [*one, *other]
    truth = abs(np.mean(one) - np.mean(other))
    extreme = []
    for chosen in combinations(range(len(results)), len(one)):
        first = [results[i] for i in chosen]
        second = [results[i] for i in range(len(results)) if i not in chosen]
        extreme.append(np.mean(first) - np.mean(second) >= truth - 1e-9)
    return 2 * np.mean(extreme)


# %% mended wrong: rounding decides
def mended_p(one, other):
    results = [*one, *other]
    truth = abs(np.mean(one) - np.mean(other))
    extreme = []
    for chosen in combinations(range(len(results)), len(one)):
        first = [results[i] for i in chosen]
        second = [results[i] for i in range(len(results)) if i not in chosen]
        extreme.append(abs(np.mean(first) - np.mean(second)) >= truth)
    return np.mean(extreme)


# %% mended wrong: deals values, so equal results get lost
def mended_p(one, other):
    results = [*one, *other]
    truth = abs(np.mean(one) - np.mean(other))
    extreme = []
    for first in combinations(results, len(one)):
        second = [x for x in results if x not in first] or [0]
        extreme.append(abs(np.mean(first) - np.mean(second)) >= truth - 1e-9)
    return np.mean(extreme)


# %% mended wrong: exchanges the results only in pairs
def mended_p(one, other):
    from itertools import product

    gaps = np.array(one[: len(other)]) - np.array(other[: len(one)])
    deals = np.array(list(product([-1, 1], repeat=len(gaps))))
    return (abs(deals @ gaps) >= abs(gaps.sum()) - 1e-9).mean()


# %% mended wrong: a sample of the deals
def mended_p(one, other):
    results, rng = np.array([*one, *other]), np.random.default_rng(0)
    truth, extreme = abs(np.mean(one) - np.mean(other)), []
    for _ in range(500):
        rng.shuffle(results)
        gap = abs(results[: len(one)].mean() - results[len(one) :].mean())
        extreme.append(gap >= truth - 1e-9)
    return np.mean(extreme)


# %% mended right: sums instead of means
def mended_p(one, other):
    results, n, m = [*one, *other], len(one), len(other)
    total = sum(results)

    def apart(part):
        return abs(part * m - (total - part) * n)

    sums = [sum(deal) for deal in combinations(results, n)]
    truth = apart(sum(one)) - 1e-9 * n * m
    return sum(apart(part) >= truth for part in sums) / len(sums)


# %% mended right: all masks of bits
def mended_p(one, other):
    results = np.array([*one, *other], dtype=float)
    n, truth = len(one), abs(np.mean(one) - np.mean(other))
    hits = deals = 0
    for bits in range(2 ** len(results)):
        mask = np.array([bits >> i & 1 for i in range(len(results))], dtype=bool)
        if mask.sum() == n:
            deals += 1
            hits += abs(results[mask].mean() - results[~mask].mean()) > truth - 1e-9
    return hits / deals


# %% fair wrong: odd widths, too
def fair_width(source_words, target_words, budget, tolerance=0.05):
    def off(width):
        model = WithoutAttention(source_words, target_words, width)
        return abs(sum(p.numel() for p in model.parameters()) - budget)

    best = min(range(1, 140), key=off)
    if off(best) > tolerance * budget:
        raise ValueError("no width fits")
    return best


# %% fair wrong: the widest that the budget allows
def fair_width(source_words, target_words, budget, tolerance=0.05):
    def count(width):
        model = WithoutAttention(source_words, target_words, width)
        return sum(p.numel() for p in model.parameters())

    width = 2
    while count(width + 2) <= budget:
        width += 2
    if abs(count(width) - budget) > tolerance * budget:
        raise ValueError("no width fits")
    return width


# %% fair wrong: the first within the tolerance
def fair_width(source_words, target_words, budget, tolerance=0.05):
    for width in range(2, 400, 2):
        model = WithoutAttention(source_words, target_words, width)
        count = sum(p.numel() for p in model.parameters())
        if abs(count - budget) <= tolerance * budget:
            return width
    raise ValueError("no width fits")


# %% fair wrong: whatever is closest, fair or not
def fair_width(source_words, target_words, budget, tolerance=0.05):
    def off(width):
        model = WithoutAttention(source_words, target_words, width)
        return abs(sum(p.numel() for p in model.parameters()) - budget)

    return min(range(2, 300, 2), key=off)


# %% fair wrong: always 5 %
def fair_width(source_words, target_words, budget, tolerance=0.05):
    def off(width):
        model = WithoutAttention(source_words, target_words, width)
        return abs(sum(p.numel() for p in model.parameters()) - budget)

    best = min(range(2, 300, 2), key=off)
    if off(best) > 0.05 * budget:
        raise ValueError("no width fits")
    return best


# %% fair wrong: as wide as the model with attention
def fair_width(source_words, target_words, budget, tolerance=0.05):
    def off(width):
        model = WithAttention(source_words, target_words, width)
        return abs(sum(p.numel() for p in model.parameters()) - budget)

    best = min(range(2, 300, 2), key=off)
    if off(best) > tolerance * budget:
        raise ValueError("no width fits")
    return best


# %% fair wrong: counts the largest matrix alone
def fair_width(source_words, target_words, budget, tolerance=0.05):
    def off(width):
        model = WithoutAttention(source_words, target_words, width)
        return abs(max(p.numel() for p in model.parameters()) - budget)

    best = min(range(2, 300, 2), key=off)
    if off(best) > tolerance * budget:
        raise ValueError("no width fits")
    return best


# %% fair right: tries one after the other
def fair_width(source_words, target_words, budget, tolerance=0.05):
    best, width = None, 0
    while True:
        width += 2
        model = WithoutAttention(source_words, target_words, width)
        off = sum(p.numel() for p in model.parameters()) - budget
        if best is None or abs(off) < abs(best[0]):
            best = off, width
        if off >= 0:
            break
    if abs(best[0]) > tolerance * budget:
        raise ValueError(f"width {best[1]} is off by {best[0]} parameters")
    return best[1]


# %% fair right: a parabola through three counts
def fair_width(source_words, target_words, budget, tolerance=0.05):
    def count(width):
        model = WithoutAttention(source_words, target_words, width)
        return sum(p.numel() for p in model.parameters())

    widths = [2, 4, 6]
    square, linear, constant = np.polyfit(widths, [count(w) for w in widths], 2)
    root = (linear**2 - 4 * square * (constant - budget)) ** 0.5
    near = 2 * round(float(root - linear) / (4 * square))
    near = [w for w in range(near - 4, near + 6, 2) if w >= 2]
    best = min(near, key=lambda width: abs(count(width) - budget))
    if abs(count(best) - budget) > tolerance * budget:
        raise ValueError("no width fits")
    return best


# %% leads wrong: all lines, whatever they are
def leads(table):
    import csv

    found = {}
    for line in csv.DictReader(table.splitlines()):
        of_cap = found.setdefault(int(line["longest"]), {"with": [], "without": []})
        of_cap[line["model"]].append(float(line["bleu"]))
    return {
        cap: np.mean(of["with"]) - np.mean(of["without"])
        for cap, of in found.items()
        if of["with"] and of["without"]
    }


# %% leads wrong: reversed sentences count, too
def leads(table):
    import csv

    found = {}
    for line in csv.DictReader(table.splitlines()):
        if line["words"] == "all":
            of_cap = found.setdefault(int(line["longest"]), {"with": [], "without": []})
            of_cap[line["model"]].append(float(line["bleu"]))
    return {
        cap: np.mean(of["with"]) - np.mean(of["without"])
        for cap, of in found.items()
        if of["with"] and of["without"]
    }


# %% leads wrong: the caps stay texts
def leads(table):
    import csv

    found = {}
    for line in csv.DictReader(table.splitlines()):
        if line["words"] == "all" and not line["reverse"]:
            of_cap = found.setdefault(line["longest"], {"with": [], "without": []})
            of_cap[line["model"]].append(float(line["bleu"]))
    return {
        cap: np.mean(of["with"]) - np.mean(of["without"])
        for cap, of in found.items()
        if of["with"] and of["without"]
    }


# %% leads wrong: the columns by their place
def leads(table):
    found = {}
    for row in table.splitlines()[1:]:
        model, _, longest, reverse, words, bleu = row.split(",")[:6]
        if words == "all" and not reverse:
            of_cap = found.setdefault(int(longest), {})
            of_cap.setdefault(model, []).append(float(bleu))
    return {
        cap: np.mean(of["with"]) - np.mean(of["without"])
        for cap, of in found.items()
        if len(of) == 2
    }


# %% leads wrong: the sums
def leads(table):
    import csv

    found = {}
    for line in csv.DictReader(table.splitlines()):
        if line["words"] == "all" and not line["reverse"]:
            of_cap = found.setdefault(int(line["longest"]), {"with": [], "without": []})
            of_cap[line["model"]].append(float(line["bleu"]))
    return {
        cap: np.sum(of["with"]) - np.sum(of["without"])
        for cap, of in found.items()
        if of["with"] and of["without"]
    }


# %% leads wrong: the best seed of each
def leads(table):
    import csv

    found = {}
    for line in csv.DictReader(table.splitlines()):
        if line["words"] == "all" and not line["reverse"]:
            of_cap = found.setdefault(int(line["longest"]), {"with": [], "without": []})
            of_cap[line["model"]].append(float(line["bleu"]))
    return {
        cap: max(of["with"]) - max(of["without"])
        for cap, of in found.items()
        if of["with"] and of["without"]
    }


# %% leads wrong: only seeds that both have
def leads(table):
    import csv

    found = {}
    for line in csv.DictReader(table.splitlines()):
        if line["words"] == "all" and not line["reverse"]:
            of_cap = found.setdefault(int(line["longest"]), {"with": [], "without": []})
            of_cap[line["model"]].append(float(line["bleu"]))
    return {
        cap: np.mean([a - b for a, b in zip(of["with"], of["without"], strict=False)])
        for cap, of in found.items()
        if of["with"] and of["without"]
    }


# %% leads wrong: a cap with one model leads by all it has
def leads(table):
    import csv

    found = {}
    for line in csv.DictReader(table.splitlines()):
        if line["words"] == "all" and not line["reverse"]:
            of_cap = found.setdefault(int(line["longest"]), {"with": [], "without": []})
            of_cap[line["model"]].append(float(line["bleu"]))
    return {
        cap: np.mean(of["with"] or 0) - np.mean(of["without"] or 0)
        for cap, of in found.items()
    }


# %% leads wrong: the last seed is kept
def leads(table):
    import csv

    found = {}
    for line in csv.DictReader(table.splitlines()):
        if line["words"] == "all" and not line["reverse"]:
            found[int(line["longest"]), line["model"]] = float(line["bleu"])
    caps = {cap for cap, _ in found if {(cap, "with"), (cap, "without")} <= set(found)}
    return {cap: found[cap, "with"] - found[cap, "without"] for cap in caps}


# %% leads right: by csv.DictReader
def leads(table):
    import csv
    import io
    from statistics import mean

    bleu = {"with": {}, "without": {}}
    for line in csv.DictReader(io.StringIO(table)):
        if line["words"] == "all" and not line["reverse"]:
            of_model = bleu[line["model"]]
            of_model.setdefault(int(line["longest"]), []).append(float(line["bleu"]))
    both = bleu["with"].keys() & bleu["without"].keys()
    return {cap: mean(bleu["with"][cap]) - mean(bleu["without"][cap]) for cap in both}


# %% leads right: as an array of texts
def leads(table):
    rows = np.array([line.split(",") for line in table.strip().split("\n")])
    column = {name: rows[1:, i] for i, name in enumerate(rows[0])}
    counted = (column["words"] == "all") & (column["reverse"] == "")
    result = {}
    for cap in np.unique(column["longest"]):
        here = counted & (column["longest"] == cap)
        one, other = (
            here & (column["model"] == "with"),
            here & (column["model"] == "without"),
        )
        if one.any() and other.any():
            bleu = [column["bleu"][part].astype(float).mean() for part in (one, other)]
            result[int(cap)] = bleu[0] - bleu[1]
    return result


# %% fair wrong: of two equally close ones the larger
def fair_width(source_words, target_words, budget, tolerance=0.05):
    def off(width):
        model = WithoutAttention(source_words, target_words, width)
        return abs(sum(p.numel() for p in model.parameters()) - budget)

    best = min(range(300, 0, -2), key=off)
    if off(best) > tolerance * budget:
        raise ValueError("no width fits")
    return best


# %% fair wrong: nothing wider than 120
def fair_width(source_words, target_words, budget, tolerance=0.05):
    def off(width):
        model = WithoutAttention(source_words, target_words, width)
        return abs(sum(p.numel() for p in model.parameters()) - budget)

    best = min(range(2, 122, 2), key=off)
    if off(best) > tolerance * budget:
        raise ValueError("no width fits")
    return best


# %% leads wrong: lines that do not count make a cap count
def leads(table):
    import csv

    lines = list(csv.DictReader(table.splitlines()))
    kinds = {}
    for line in lines:
        kinds.setdefault(int(line["longest"]), set()).add(line["model"])
    result = {}
    for cap, models in kinds.items():
        if len(models) == 2:
            means = {}
            for model in models:
                bleu = [
                    float(line["bleu"])
                    for line in lines
                    if (int(line["longest"]), line["model"]) == (cap, model)
                    and line["words"] == "all"
                    and not line["reverse"]
                ]
                means[model] = sum(bleu) / len(bleu) if bleu else float("nan")
            result[cap] = means["with"] - means["without"]
    return result
