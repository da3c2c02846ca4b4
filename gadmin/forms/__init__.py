"""Forms made of the models of documents, and documents made of forms.

`spec` says which fields a kind has and how each is entered, taken from the JSON Schema of its model, so a new field of
a model is a new field of its form. `flat` turns a document into the texts of a form's inputs and back. `form` puts both
together with the problems, each beside its field. `words` has labels, explanations and the order of sections.
"""
