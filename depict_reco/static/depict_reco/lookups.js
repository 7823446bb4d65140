// Sends the form around a search box of a list's filter as soon as something is chosen.
"use strict";
{
  const { jQuery: $ } = window.django;
  $(() => {
    $("form.reco-filter select").on("select2:select select2:clear", (event) => {
      event.target.form.submit();
    });
    $("select.reco-submit").on("change", (event) => {
      event.target.form.submit();
    });
    // The market decides what the other boxes search: ask the page again.
    $("select.reco-resubmit").on("change select2:select select2:clear", (event) => {
      const { form } = event.target;
      form.querySelectorAll("[data-of-market]").forEach((field) => {
        field.disabled = true;
      });
      form.submit();
    });
  });
}
