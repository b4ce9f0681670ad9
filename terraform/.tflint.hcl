# The rules of the field, all of them: documented, typed and used declarations, names, layout, pinned versions.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# A module of the same repository has no version.
rule "terraform_module_version" {
  enabled = false
}
