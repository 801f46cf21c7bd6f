"""How the pocket model was made: data, training, evaluation. Run time never imports it."""
