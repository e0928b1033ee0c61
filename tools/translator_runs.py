"""Measure the heads of a real translator, for chapter 18.

    python -m tools.translator_runs

It writes chapters/18_heads.json: where the heads of the cross-attention look, and what
is lost when one is cut, sentence by sentence. The sentences are those of
chapters/18_sentences.txt, the first half of them drawn from the book's corpus, the
second half taken from its own prose; the Portuguese ones are the translator's. Every
second one is held out: what is chosen by its numbers is chosen on others. It wants
`make real-models` first; two minutes on one core.
"""

import contextlib
import datetime
import json
import re
from importlib.metadata import version
from pathlib import Path

import torch
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from attend import pretrained
from attend.layers import padding_mask
from attend.pretrained import marian

CHAPTERS = Path(__file__).parents[1] / "chapters"
SENTENCES, STORED = CHAPTERS / "18_sentences.txt", CHAPTERS / "18_heads.json"
SHOWN = (
    "Tom saw a red car.",
    "The old man sold his boat because he needed the money.",
)
HEADS = [(layer, head) for layer in (1, 2) for head in range(1, 9)]

# English forms = Portuguese forms; a word of one side goes with one of the other
DICTIONARY = """
student students = estudante estudantes aluno aluna alunos alunas
teacher teachers = professor professora professores professoras
doctor doctors = médico médica médicos médicas doutor doutora
child children = criança crianças filho filhos
man men = homem homens
woman women = mulher mulheres
boy boys = menino meninos rapaz rapazes garoto garotos
girl girls = menina meninas rapariga garota garotas
friend friends = amigo amiga amigos amigas
mother = mãe
father = pai
dog dogs = cão cães cachorro cachorros
cat cats = gato gatos gata gatas
bird birds = pássaro pássaros ave aves
horse horses = cavalo cavalos
fish = peixe peixes
book books = livro livros
letter letters = carta cartas
apple apples = maçã maçãs
egg eggs = ovo ovos
pen pens = caneta canetas
key keys = chave chaves
hat hats = chapéu chapéus
umbrella umbrellas = guarda-chuva guarda-chuvas
cup cups = xícara xícaras copo copos chávena chávenas
car cars = carro carros
bike bikes = bicicleta bicicletas
bus = ônibus autocarro
tea = chá
water = água
soup = sopa
park = parque
garden = jardim
village = aldeia vila
kitchen = cozinha
library = biblioteca
hospital = hospital
market = mercado
station = estação
school = escola
river = rio
tree = árvore
table = mesa
house = casa
tom = tom
jerry = jerry
peter = peter pedro
anna = anna ana
mary = mary maria
lily = lily lírio lília
red = vermelho vermelha vermelhos vermelhas
new = novo nova novos novas
small = pequeno pequena pequenos pequenas
big = grande grandes
old = velho velha velhos velhas antigo antiga antigos antigas idoso idosa
young = jovem jovens
beautiful = bonito bonita bonitos bonitas belo bela belos belas linda lindo
clever = inteligente inteligentes esperto esperta espertos
kind = amável amáveis gentil gentis bondoso bondosa
interesting = interessante interessantes
busy = ocupado ocupada ocupados ocupadas
tired = cansado cansada cansados cansadas
happy = feliz felizes
ill = doente doentes
two = dois duas
three = três
hour hours = hora horas
sunday = domingo
yesterday = ontem
tomorrow = amanhã
slowly = lentamente devagar
quickly = rapidamente depressa
helped = ajudou ajudaram ajudei ajudamos
bought = comprou compraram comprei compramos
washed = lavou lavaram lavei lavamos lavado lavada lavados lavadas
repaired = reparou repararam consertou consertaram reparado reparada consertei
wrote = escreveu escreveram escrevi escrevemos
drank = bebeu beberam bebi bebemos
slept = dormiu dormiram dormi dormimos
visited = visitou visitaram visitei visitamos
lost = perdeu perderam perdi perdemos perdido perdida
found = encontrou encontraram encontrei encontrado encontrada encontramos
ate = comeu comeram comi comemos
saw = viu viram vi vimos
rained = choveu chovesse
"""


def dictionary(direction):
    """Return {form of the source language: its forms in the target language}."""
    found = {}
    for line in DICTIONARY.strip().splitlines():
        sides = [side.split() for side in line.split(" = ")]
        source, target = sides if direction == "enpt" else sides[::-1]
        for form in source:
            found.setdefault(form, set()).update(target)
    return found


def words(pieces):
    """Return the words of a list of pieces: (word in lower case, its places).

    A word begins with "▁"; a mark and the end stand for themselves.
    """
    found, inside = [], False
    for place, piece in enumerate(pieces):
        mark = piece == "</s>" or piece.strip("▁") in set(".,;:!?")
        if mark or not inside or piece.startswith("▁"):
            found.append(["", []])
        inside = not mark
        found[-1][0] += "" if mark else piece.strip("▁")
        found[-1][1].append(place)
    return [(re.sub(r"[^\w-]", "", word.lower()), places) for word, places in found]


def links(source, target, known):
    """Return the sure links: (places of a source word, places of its target word).

    A word counts if the dictionary has it, and only one word on each side fits.
    """
    found = []
    for word, places in words(source):
        forms = known.get(word)
        if not forms:
            continue
        again = [w for w, _ in words(source) if known.get(w, set()) & forms]
        hits = [places for other, places in words(target) if other in forms]
        if len(again) == len(hits) == 1:
            found.append((places, hits[0]))
    return found


# Cutting and measuring ----------------------------------------------------------------


def columns(head):
    """Return the columns of the merged contexts that come from a head, 1 to 8."""
    return slice(32 * (head - 1), 32 * head)


@contextlib.contextmanager
def replaced(model, contexts):
    """Let heads give a constant: contexts {(layer, head): vector (32,), or 0}."""
    with contextlib.ExitStack() as hooks:
        for k, layer in enumerate(model.decoder, start=1):
            here = {head: c for (number, head), c in contexts.items() if number == k}

            def change(_, inputs, here=here):
                merged = inputs[0].clone()
                for head, context in here.items():
                    merged[..., columns(head)] = context
                return (merged,)

            W_O = layer.cross_attention.W_O
            hooks.enter_context(W_O.register_forward_pre_hook(change))
        yield


@contextlib.contextmanager
def late(model, layer, head):
    """Let a head give in each row its context of the row before (first: its own)."""

    def change(_, inputs):
        merged, own = inputs[0].clone(), columns(head)
        merged[:, 1:, own] = inputs[0][:, :-1, own]
        return (merged,)

    W_O = model.decoder[layer - 1].cross_attention.W_O
    with W_O.register_forward_pre_hook(change):
        yield


class Sentence:
    """A source and the whole model's translation, encoded once."""

    def __init__(self, model, text, target):
        self.source, self.target = model.split(text), [*target, marian.EOS]
        self.memory, _ = model.encode([self.source])
        before = torch.tensor([self.target[:-1]], dtype=torch.long)
        X = pad(model.vectors(before), (0, 0, 1, 0))
        self.X = X + marian.marian_positions(*X.shape[1:])
        self.shortlist = sorted({*model.shortlist(self.source), *self.target})
        self.places = [self.shortlist.index(piece) for piece in self.target]


def forced(model, sentences, size=32):
    """Yield, for each Sentence, the sum of −log p of its pieces, and its weights.

    weights (layers, H, T, S). `size` sentences at a time, padded.
    """
    for begin in range(0, len(sentences), size):
        here = sentences[begin : begin + size]
        X = pad_sequence([one.X[0] for one in here], batch_first=True)
        memory = pad_sequence([one.memory[0] for one in here], batch_first=True)
        lengths = torch.tensor([len(one.source) for one in here])
        X, weights, _ = model.decode(X, memory, padding_mask(lengths, memory.shape[1]))
        for k, one in enumerate(here):
            T, S = len(one.target), len(one.source)
            logs = model.logits(X[k, :T], one.shortlist).log_softmax(dim=-1)
            loss = -logs[range(T), one.places].sum()
            yield float(loss), weights[:, k, :, :T, :S]


def losses(model, sentences):
    """Return the loss of each Sentence, in thousandths."""
    return [round(1000 * loss) for loss, _ in forced(model, sentences)]


def means(model, sentences):
    """Return {(layer, head): its mean context (32,) over all pieces}."""
    kept = [[], []]
    hooks = [
        layer.cross_attention.W_O.register_forward_pre_hook(
            lambda _, inputs, kept=kept[k]: kept.append(inputs[0][0])
        )
        for k, layer in enumerate(model.decoder)
    ]
    list(forced(model, sentences, size=1))  # one at a time: no padding in the mean
    for hook in hooks:
        hook.remove()
    found = [torch.cat(rows).mean(dim=0) for rows in kept]
    return {(layer, head): found[layer - 1][columns(head)] for layer, head in HEADS}


def looked(model, sentences, known):
    """Count, sentence by sentence, what the dictionary finds.

    links; by_chance (a head that picks a place at random); found[head] and
    before[head]: links whose source word has the largest weight when the head looks for
    the target word, and for the piece after it.
    """
    counts = {"links": [], "by_chance": [], "found": {}, "before": {}}
    maps = [weights for _, weights in forced(model, sentences)]
    for sentence, weights in zip(sentences, maps, strict=True):
        best = weights.argmax(dim=-1)
        source, target = model.names(sentence.source), model.names(sentence.target)
        pairs = links(source, target, known)
        counts["links"].append(len(pairs))
        chance = sum(len(places) for places, _ in pairs) / len(source)
        counts["by_chance"].append(round(chance, 3))
        for layer, head in HEADS:
            row = best[layer - 1, head - 1].tolist()
            for kind, at in ("found", 0), ("before", 1):
                rows = [
                    (places, own[-1] + 1 if at else own[0]) for places, own in pairs
                ]
                hits = sum(row[t] in places for places, t in rows)
                counts[kind].setdefault(f"{layer}.{head}", []).append(hits)
    return counts


def sums(counts, layer=2):
    """Return what `looked` counted for the heads of a layer, over all sentences."""
    return {
        kind: {f"{layer}.{h}": sum(counts[kind][f"{layer}.{h}"]) for h in range(1, 9)}
        for kind in ("found", "before")
    }


def agreement(model, sentences):
    """Return how often two heads have their largest weight on the same place."""
    maps = (weights for _, weights in forced(model, sentences))
    best = [weights.argmax(dim=-1).flatten(0, 1) for weights in maps]
    best = torch.cat(best, dim=-1)  # (16, all pieces)
    same = (best[:, None] == best).float().mean(dim=-1)
    return (100 * same).round().int().tolist()


def stammers(text, longest=10):
    """Tell whether some run of 1 to `longest` words comes twice without a break."""
    said = re.findall(r"[\w-]+", text.lower())
    return any(
        said[i : i + n] == said[i + n : i + 2 * n]
        for n in range(1, longest + 1)
        for i in range(len(said) - 2 * n + 1)
    )


def flags(values):
    return "".join("1" if value else "0" for value in values)


def chosen(stored):
    """Return the heads to look at more closely, by the sentences not held out.

    The costliest; the best aligned; a control, the second costliest of that layer.
    """
    cost = {k: v for k, v in stored["chosen on"].items() if k != "pieces"}
    order = sorted(cost, key=cost.get, reverse=True)
    found = stored["first"]["found"]
    tried = {"costliest": order[0], "aligned": max(found, key=lambda k: sum(found[k]))}
    layer = tried["costliest"][0]
    others = [k for k in order if k[0] == layer and k not in tried.values()]
    return tried | {"control": others[0]}


def direction(name, texts):
    """Measure a direction; return what is stored, and the translations."""
    model, known = marian.Translator(name), dictionary(name)
    pieces = model.translate_pieces(texts)
    with torch.inference_mode():
        everything = [
            Sentence(model, text, target)
            for text, target in zip(texts, pieces, strict=True)
        ]
        corpus = everything[: len(texts) // 2]
        first, held_out = everything[::4], everything[1::2]
        stored = {"first": looked(model, corpus[::2], known)}
        stored["held out"] = looked(model, corpus[1::2], known)
        stored["agreement"] = agreement(model, held_out)
        average = means(model, first)
        second = {key: average[key] for key in HEADS if key[0] == 2}
        cuts = {"none": {}} | {f"{k}.{h} zero": {(k, h): 0} for k, h in HEADS}
        cuts |= {f"{k}.{h} mean": {(k, h): average[k, h]} for k, h in HEADS}
        cuts["layer 1 mean"] = {key: average[key] for key in HEADS if key[0] == 1}
        cuts["layer 2 mean"] = second
        for head in range(1, 9):
            others = {key: c for key, c in second.items() if key != (2, head)}
            cuts[f"only 2.{head} mean"] = others
        stored["loss"], stored["chosen on"] = {}, {}
        stored["pieces"] = [len(sentence.target) for sentence in held_out]
        for cut, contexts in cuts.items():
            with replaced(model, contexts):
                stored["loss"][cut] = losses(model, held_out)
                if len(contexts) == 1 and cut.endswith("mean"):
                    name = cut.removesuffix(" mean")
                    stored["chosen on"][name] = sum(losses(model, first))
        stored["chosen on"]["pieces"] = sum(len(s.target) for s in first)
        tried = chosen(stored)
        costly = tuple(map(int, tried["costliest"].split(".")))
        stored["tried"] = tried
        with replaced(model, {costly: average[costly]}):
            stored["after the cut"] = looked(model, corpus[1::2], known)
        control = tuple(map(int, tried["control"].split(".")))
        every = {key: average[key] for key in HEADS if key[0] == costly[0]}
        only = {key: context for key, context in every.items() if key != costly}
        changes = {
            f"without {tried['control']}": replaced(model, {control: average[control]}),
            f"without layer {costly[0]}": replaced(model, every),
            f"only {tried['costliest']}": replaced(model, only),
            f"{tried['costliest']} late": late(model, *costly),
            f"{tried['control']} late": late(model, *control),
        }
        stored["layer 2"] = {}
        for change, context in changes.items():
            with context:
                stored["layer 2"][change] = sums(looked(model, corpus[1::2], known))
        with replaced(model, only):
            label = f"only {tried['costliest']} mean"
            stored["loss"][label] = losses(model, held_out)
    whole = [model.pieces.decode(target) for target in pieces]
    stored["stammers"], stored["changed"] = (
        {"none": flags(map(stammers, whole[1::2]))},
        {},
    )
    for label in tried.values():
        key = tuple(map(int, label.split(".")))
        with replaced(model, {key: average[key]}):
            found = model.translate(texts[1::2])
        stored["stammers"][label] = flags(map(stammers, found))
        changed = [a != b for a, b in zip(found, whole[1::2], strict=True)]
        stored["changed"][label] = flags(changed)
        if key == costly:
            stored["texts"] = {"whole": whole[1:24:2], "cut": found[:12]}
    return stored, whole


def inside(model, text, heads):
    """Return {head: its scores (T, S), three columns of its values (S, 3)}."""
    target = model.translate_pieces([text])[0]
    sentence, asked = Sentence(model, text, target), []
    hooks = [
        layer.cross_attention.register_forward_pre_hook(
            lambda _, inputs: asked.append(inputs[:2])
        )
        for layer in model.decoder
    ]
    list(forced(model, [sentence]))
    for hook in hooks:
        hook.remove()
    found = {}
    for layer, head in heads:
        part, own = model.decoder[layer - 1].cross_attention, columns(head)
        queries, keys = asked[layer - 1]
        Q, K, V = part.W_Q(queries)[0], part.W_K(keys)[0], part.W_V(keys)[0]
        scores = Q[:, own] @ K[:, own].T / 32**0.5
        found[f"{layer}.{head}"] = {
            name: (numbers.double() * 1000).round().div(1000).tolist()
            for name, numbers in [("scores", scores), ("values", V[:, own][:, :3])]
        }
    return found


def shown(text):
    """Return a sentence, its translation and all weights in percent: for figures."""
    model = marian.Translator("enpt")
    look = model.look(text)
    percent = (100 * look.weights).round().int().tolist()
    return {"source": look.source, "target": look.target, "weights": percent} | {
        "text": text,
        "translation": model.translate([text])[0],
    }


def main():
    torch.set_num_threads(1)
    texts = SENTENCES.read_text(encoding="utf-8").splitlines()
    package = pretrained.PACKAGES[marian.PACKAGE]
    stored = {
        "made with": {
            "package": f"{package.name} {package.version}",
            "sha256": package.sha256,
            "torch": version("torch").partition("+")[0],
            "sentencepiece": version("sentencepiece"),
            "date": datetime.date.today().isoformat(),
        }
    }
    stored["enpt"], texts = direction("enpt", texts)
    stored["pten"], _ = direction("pten", texts)
    stored["shown"] = [shown(text) for text in SHOWN]
    with torch.inference_mode():
        model = marian.Translator("enpt")
        stored["inside"] = inside(model, SHOWN[0], [(1, 6), (2, 1), (2, 4)])
    text = json.dumps(stored, ensure_ascii=False, separators=(",", ":"))
    text = re.sub(r',("[^"]+":[\[{])', r",\n\1", text)  # a line each, for git
    STORED.write_text(text + "\n", encoding="utf-8")
    print(f"{STORED.name}: {len(text):,} letters")


if __name__ == "__main__":
    main()
