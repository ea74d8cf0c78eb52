// Shows the cards that match the three choices; a card counts when one of the chosen system's
// answers has the chosen verdict, "differ" when its systems are not all right or all wrong.
const choice = (name) => document.getElementById(name).value;
function update() {
  const [kind, system, verdict] = [choice("kind"), choice("system"), choice("verdict")];
  let shown = 0;
  for (const card of document.querySelectorAll(".asked")) {
    const said = [...card.querySelectorAll(".said")];
    const known = new Set(said.map((one) => one.dataset.right).filter((right) => right));
    const one = said.some(
      (item) =>
        (!system || item.dataset.system === system) &&
        (!verdict || verdict === "differ" || item.dataset.right === verdict)
    );
    const match = one && (verdict !== "differ" || known.size > 1);
    card.hidden = !(match && (!kind || card.dataset.kind === kind));
    shown += !card.hidden;
    for (const item of said) item.hidden = Boolean(system) && item.dataset.system !== system;
  }
  document.getElementById("shown").textContent = shown;
}
for (const name of ["kind", "system", "verdict"])
  document.getElementById(name).addEventListener("change", update);
update();
