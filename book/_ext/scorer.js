// Sphinx's own scores, but exercises come after all that explains, and solutions last.
var Scorer = {
  score: ([page, , , , score]) =>
    score - 1000 * (1 + ["exercises", "solutions"].indexOf(page.split("/")[0])),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
