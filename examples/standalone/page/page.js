const socket = io();
const byId = (id) => document.getElementById(id);

socket.on("time", (time) => { byId("time").textContent = time; });
socket.on("said", (text) => {
  const item = document.createElement("li");
  item.textContent = text;
  byId("said").append(item);
});
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  socket.emit("say", byId("text").value);
  byId("text").value = "";
});
