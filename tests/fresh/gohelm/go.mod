module hotspan/gohelm

go 1.24

require helm.sh/helm/v3 v3.18.6
