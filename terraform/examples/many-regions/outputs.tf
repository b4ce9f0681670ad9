output "backstop_layers" {
  description = "The value for the module `layer-lookup`: account, region, architecture."
  value = {
    for account in distinct(flatten([for layer in local.layers : keys(layer)])) :
    account => merge([for layer in local.layers : lookup(layer, account, {})]...)
  }
}
