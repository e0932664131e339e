#!/bin/sh
# Start Kafka like its image does: Kafka's own class writes the settings from KAFKA_… and formats the
# storage if needed; then the server starts with the heap size of Kafka's scripts.
export CLUSTER_ID="${CLUSTER_ID:-c3RhbmQtaW4tZm9yLWNhcg}"
said=$(java -cp '/opt/kafka/libs/*' kafka.docker.KafkaDockerWrapper setup \
    --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config \
    --final-configs-dir /opt/kafka/config 2>&1) \
    || echo "$said" | grep -q "already formatted" || { echo "$said"; exit 1; }
exec java ${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G} -XX:+UseG1GC -cp '/opt/kafka/libs/*' \
    kafka.Kafka /opt/kafka/config/server.properties
