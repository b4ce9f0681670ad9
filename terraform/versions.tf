# The root holds no resources: what there is, is in modules/.
terraform {
  required_version = ">= 1.5"
}
