#!/bin/sh
# Apply an overlay in the order of docs/install.md (Updating), one service after the other:
#   deploy/kubernetes/roll-out.sh deploy/kubernetes/overlays/small
set -eu
rendered=$(mktemp)
trap 'rm -f "$rendered"' EXIT
kubectl kustomize "$1" >"$rendered"
services="accounts circulation events notices gateway sip2"
others=$(echo $services | tr ' ' ',')

kubectl delete job carrel-topics --namespace carrel --ignore-not-found # a Job can't be changed
kubectl apply --filename "$rendered" --selector "app.kubernetes.io/name notin ($others)"
kubectl wait kafka/carrel --namespace carrel --for=condition=Ready --timeout=15m
kubectl wait job/carrel-topics --namespace carrel --for=condition=complete --timeout=10m
for service in $services; do
	grep -q "^  serviceName: carrel-.*$service\$" "$rendered" || continue # small has no sip2
	kubectl apply --filename "$rendered" --selector "app.kubernetes.io/name=$service"
	workloads=$(kubectl get statefulset --namespace carrel --selector "app.kubernetes.io/name=$service" --output name)
	for workload in $workloads; do
		kubectl rollout status "$workload" --namespace carrel --timeout=15m
	done
done
