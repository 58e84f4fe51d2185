/* Directions in words; `words`: what the images of both domains are, in the plural, or null. */

/* Which images a direction takes and makes, in a few words, for a button. */
function wayText({ name, words }) {
  return words ? words.join(" → ") : directed(name);
}

/* The names of the picture before and of the one after. */
function captions({ name, words }) {
  return words ?? [name[0], name.at(-1)];
}

/* A sentence on a direction, and one on drawing; `only`: whether it has the colours of classes only. */
function leadOf({ name, words }, isDrawn, only) {
  const [from, to] = words ?? [`images of domain ${name[0]}`, `images of domain ${name.at(-1)}`];
  const draws = !isDrawn
    ? ""
    : only
      ? "Paint with the colours of the classes: each stands for one kind of thing."
      : "Draw, and see the translation after each stroke.";
  return `Translates ${from} to ${to}. ${draws}`;
}
