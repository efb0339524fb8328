// A click on a series in a legend hides or shows it. The figures are in the table below, for those who do not see the plot.
for (const key of document.querySelectorAll(".key")) {
  key.addEventListener("click", () => {
    const off = key.classList.toggle("off");
    const series = `.series[data-series="${key.dataset.series}"]`;
    for (const part of key.closest("svg").querySelectorAll(series)) part.classList.toggle("off", off);
  });
}
