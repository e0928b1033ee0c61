// Check yourself. Without this script the options are a list, each folded over its
// explanation. With it they stand in another order each time, and show what was chosen.
addEventListener("DOMContentLoaded", () => {
  "use strict";

  for (const quiz of document.querySelectorAll(".quiz")) {
    const questions = [...quiz.querySelectorAll(".question")];
    const result = document.createElement("p");
    result.className = "result";
    result.setAttribute("role", "status");
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Ask me again";
    again.addEventListener("click", () => {
      questions.forEach(shuffle);
      tell();
      quiz.scrollIntoView({ block: "start" });
    });
    quiz.append(result, again);

    /** Fold a question's options and put them into another order. */
    function shuffle(question) {
      const options = [...question.querySelectorAll("details")];
      for (let last = options.length - 1; last > 0; last--) {
        const other = Math.floor(Math.random() * (last + 1));
        [options[last], options[other]] = [options[other], options[last]];
      }
      for (const option of options) {
        option.open = false;
        delete option.dataset.chosen;
      }
      delete question.dataset.done;
      question.querySelector(".options").append(...options);
    }

    /** Mark an option that was opened; judge a question by its first choices. */
    function choose(question, option) {
      if (!option.open || option.dataset.chosen) return;
      option.dataset.chosen = "yes";
      const options = [...question.querySelectorAll("details")];
      const chosen = options.filter((o) => o.dataset.chosen);
      const missed = options.some((o) => o.dataset.right === "True" && !o.dataset.chosen);
      const wrong = chosen.some((o) => o.dataset.right !== "True");
      if (!question.dataset.done && (wrong || !missed)) {
        question.dataset.done = wrong ? "wrong" : "right";
      }
      tell();
    }

    function tell() {
      const done = questions.filter((q) => q.dataset.done);
      const right = done.filter((q) => q.dataset.done === "right");
      again.hidden = !done.length;
      result.textContent = done.length
        ? `${right.length} of ${done.length} right at the first try` +
          (done.length < questions.length ? `, ${questions.length - done.length} to go.` : ".")
        : "";
    }

    for (const question of questions) {
      shuffle(question);
      for (const option of question.querySelectorAll("details")) {
        option.addEventListener("toggle", () => choose(question, option));
      }
    }
    tell();
  }
});
