const socket = io();
const byId = (id) => document.getElementById(id);

socket.on("node", (name) => { byId("node").textContent = name; });
socket.on("time", async (time) => {
  byId("time").textContent = time;
  byId("count").textContent = await socket.emitWithAck("who is there");
});
socket.on("said", ({ text, node }) => {
  const item = document.createElement("li");
  item.textContent = `${text} (said on ${node})`;
  byId("said").append(item);
});
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.emit("say", byId("text").value);
  byId("text").value = "";
});
