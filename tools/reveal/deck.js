// Begin the slides, set their formulas, and make a slide smaller that is too high.
const HEIGHT = 720;
const SMALLEST = 0.55;
const FIGURE = { larger: 1.8, width: 1240, height: 480 };

globalThis.MathJax = {
  tex: { inlineMath: [["$", "$"]], processEscapes: true },
  startup: {
    pageReady: async () => {
      await MathJax.startup.defaultPageReady();
      await document.fonts.ready;
      await Promise.all([...document.images].map((image) => image.decode()));
      document.addEventListener("toggle", () => fit(Reveal.getCurrentSlide()), true);
      Reveal.on("slidechanged", (event) => fit(event.currentSlide));
      fit(Reveal.getCurrentSlide());
    },
  },
};

for (const image of document.querySelectorAll(".jp-OutputArea img"))
  image.decode().then(() => {
    const [width, high] = [image.naturalWidth, image.naturalHeight];
    image.width = width * Math.min(FIGURE.larger, FIGURE.width / width, FIGURE.height / high);
  });

function height(slide) {
  return slide.getBoundingClientRect().height / Reveal.getScale();
}

function fit(slide) {
  slide.style.zoom = 1;
  for (let size = 0.95; height(slide) > HEIGHT && size > SMALLEST; size -= 0.05)
    slide.style.zoom = size;
  slide.classList.toggle("scrolls", height(slide) > HEIGHT);
}

Reveal.initialize({
  width: 1280,
  height: HEIGHT,
  margin: 0.04,
  center: false,
  hash: true,
  slideNumber: "c/t",
  transition: "none",
  plugins: [RevealNotes],
});
