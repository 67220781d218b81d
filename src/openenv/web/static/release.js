// What changes the layout waits until no pointer is pressed: else a button could move away under the click on it.

let isPressed = false;
const waiting = [];

const press = () => {
  isPressed = true;
};
// A click comes after its pointerup, so what waits runs after that.
const release = () => {
  isPressed = false;
  setTimeout(() => waiting.splice(0).forEach((action) => action()));
};
addEventListener("pointerdown", press, true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, release, true);

/**
 * Do something now, or as soon as the pointer is released.
 * @param {() => void} action
 */
export function whenReleased(action) {
  if (isPressed) waiting.push(action);
  else action();
}
