# Stands in for the image of Apache Kafka: its jars from Maven, under the paths and the user of the image.
FROM carrel-stand-in:debian
RUN useradd --uid 1000 --no-create-home appuser \
    && mkdir -p /opt/kafka/bin /opt/kafka/config /etc/kafka/docker /mnt/shared/config /var/lib/kafka/data
COPY libs /opt/kafka/libs
COPY kafka.sh /etc/kafka/docker/run
COPY kafka-broker-api-versions.sh /opt/kafka/bin/
RUN touch /etc/kafka/docker/server.properties /etc/kafka/docker/log4j2.yaml \
        /etc/kafka/docker/tools-log4j2.yaml \
    && chmod -R a+rX /opt/kafka /etc/kafka \
    && chmod 755 /etc/kafka/docker/run /opt/kafka/bin/kafka-broker-api-versions.sh \
    && chown -R appuser /opt/kafka/config /var/lib/kafka /mnt/shared
USER appuser
VOLUME ["/var/lib/kafka/data"]
EXPOSE 9092
CMD ["/etc/kafka/docker/run"]
